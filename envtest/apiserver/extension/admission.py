"""A write is stored after every webhook that it concerns has seen it and none has denied it; mutating ones come first.

`Admission` holds the webhooks of the configurations in the store. Mutating webhooks are asked one after another, each
about what the ones before made of the object, those that want it a second time if a later one changed something.
Validating ones are asked at once. How answers get here is `decisions`' affair, which webhooks are concerned that of
`webhooks`, what they are told that of `admissionreview`.
"""

from collections.abc import Mapping

import attrs

from windlass.envtest.apiserver.decisions import Call, ask
from windlass.envtest.apiserver.errors import ApiError, internal_error
from windlass.envtest.apiserver.extension.admissionreview import call_of, judged, patch_of, shown
from windlass.envtest.apiserver.extension.conversion import converted
from windlass.envtest.apiserver.extension.webhooks import (
    MUTATING,
    REGISTRATIONS,
    VALIDATING,
    Hook,
    Write,
    hooks_of,
    matched,
)
from windlass.envtest.apiserver.kinds import Registry, Resource
from windlass.envtest.apiserver.patch.patches import json_patch
from windlass.envtest.apiserver.store.storage import Key, Store
from windlass.envtest.apiserver.values import Json, same

__all__ = ("Admission",)


class Admission:
    """The admission of one server."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self._store = store
        self._registry = registry
        self._hooks: dict[str, tuple[tuple[int, ...], list[Hook]]] = {}

    def __repr__(self) -> str:
        return f"<Admission hooks={sum(len(self._of(kind)) for kind in REGISTRATIONS)}>"

    def concerns(self, resource: Resource) -> bool:
        """Whether anybody may have a say in writes of a kind; the configurations themselves are never asked about."""
        return resource.qualified not in REGISTRATIONS and any(self._store.items(kind) for kind in REGISTRATIONS)

    def mutated(self, write: Write) -> Json | None:
        """The object after the mutating webhooks; raises `ApiError`. Does not change it."""
        obj, hooks = write.obj, self._of(MUTATING)
        called: set[int] = set()
        again: set[int] = set()
        for turn in (0, 1):
            for index, hook in enumerate(hooks):
                if turn and index not in again:
                    continue
                seen = attrs.evolve(write, obj=obj)
                resource = self._matched(hook, seen)
                if resource is None:
                    continue
                result = self._mutation(hook, seen, resource, turn)
                if not same(result, obj):
                    again |= called  # those before it that want to hear of changes
                    called.clear()
                    obj = result
                if hook.reinvoked and not turn:
                    called.add(index)
        return obj

    def validate(self, write: Write) -> None:
        """Ask the validating webhooks; raises `ApiError` for the first that denies or fails."""
        asked: list[tuple[Hook, Call]] = []
        for hook in self._of(VALIDATING):
            resource = self._matched(hook, write)
            if resource is not None:
                asked.append((hook, call_of(hook, write, resource)))
        for (hook, _), reply in zip(asked, ask(call for _, call in asked), strict=True):
            judged(hook, reply)

    def _of(self, kind: str) -> list[Hook]:
        items = self._store.items(kind)
        state = tuple(stored.revision for stored in items)
        known = self._hooks.get(kind)
        if known is None or known[0] != state:
            known = self._hooks[kind] = (state, hooks_of(items))
        return known[1]

    def _matched(self, hook: Hook, write: Write) -> Resource | None:
        resource = write.resource
        others = [one for one in self._registry if one.qualified == resource.qualified and one is not resource]
        return matched(hook, write, others, self._labels_of)

    def _labels_of(self, namespace: str) -> Mapping[str, str]:
        stored = self._store.get(Key("namespaces", "", namespace))
        labels: Mapping[str, str] = (stored.metadata.get("labels") if stored is not None else None) or {}
        return labels

    def _mutation(self, hook: Hook, write: Write, resource: Resource, turn: int) -> Json | None:
        call = call_of(hook, write, resource, turn)
        response = judged(hook, ask([call])[0], mutating=True)
        patch = patch_of(response)
        if not patch:
            return write.obj
        if write.obj is None:
            raise internal_error(
                f'admission webhook "{hook.name}" attempted to modify the object, '
                "which is not supported for this operation"
            )
        seen = shown(write.obj, write, resource)
        try:
            result = json_patch(seen, patch)
        except ApiError as error:
            raise internal_error(error.message.rpartition("request: ")[2]) from None
        if not isinstance(result, dict) or not isinstance(result.get("metadata"), dict):
            raise internal_error("the patched object is not an object with metadata")
        return converted([result], write.resource.api_version, write.resource.conversion)[0]
