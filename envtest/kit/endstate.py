"""An end state is what a namespace holds, without what differs from one run to the next though nothing is different.

Left out or replaced by a word: resource versions, generations, managed fields, creation, every other timestamp, uids
(also where they are mentioned), the namespace's own name, generated parts of names. What a server puts into each new
namespace by itself, Events and Leases are no part of it.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import attrs
import msgspec
import yaml

from windlass.informers import requests
from windlass.informers.client import Client
from windlass.informers.errors import NotFound

__all__ = (
    "BOOKKEEPING",
    "TOUCH",
    "Address",
    "Derived",
    "EndState",
    "Without",
    "end_state_of",
    "nothing",
    "read_end_state",
    "read_objects",
)

Address: TypeAlias = tuple[str, str, str]
"""Group, version and plural of a kind."""

Derived: TypeAlias = Callable[[str], Mapping[str, str]]
"""Of a uid the texts that an operator computes from it, and a word that stands for each."""

TOUCH = "envtest.windlass.dev/touch"
"""The annotation by which an object gets a fresh resource version."""

BOOKKEEPING = {("", "events"), ("events.k8s.io", "events"), ("coordination.k8s.io", "leases")}
"""Group and plural of what operators report about themselves."""

_DROPPED = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")


def nothing(_: str) -> Mapping[str, str]:
    """No text is computed from a uid."""
    return {}


@attrs.frozen
class Without:
    """What else is no part of an end state: fields by their dotted paths, as `status.startedBy`, and derived texts."""

    volatile: Sequence[str] = ()
    derived: Derived = nothing


@attrs.frozen
class EndState:
    """Objects by their address, and effects by their words; equal when nothing that matters differs."""

    objects: Mapping[str, Any]
    effects: Mapping[str, int]

    def difference(self, found: "EndState") -> str:
        """A unified diff from this state to the one found; empty when they are equal."""
        lines = difflib.unified_diff(
            _text(self).splitlines(), _text(found).splitlines(), "expected", "found", lineterm="", n=3
        )
        return "\n".join(lines)


async def read_end_state(
    client: Client,
    namespace: str,
    addresses: Iterable[Address],
    *,
    effects: Mapping[str, int],
    without: Without = Without(),
) -> EndState:
    """The state of the namespace now."""
    read = await read_objects(client, namespace, addresses)
    return end_state_of(namespace, read, effects=effects, without=without)


def end_state_of(
    namespace: str,
    read: Iterable[tuple[Address, dict[str, Any]]],
    *,
    effects: Mapping[str, int],
    without: Without = Without(),
) -> EndState:
    """The state that these objects make. They are changed."""
    found = [(f"{plural}.{group}" if group else plural, item) for (group, _, plural), item in read]
    words = _Words.of(namespace, found, without.derived)
    # Many objects may share a name once its generated part is gone: their order is then that of their contents.
    objects: dict[str, Any] = {}
    for where, item in sorted(_normal(found, words, without.volatile), key=lambda pair: (pair[0], _json(pair[1]))):
        number = sum(1 for known in objects if known == where or known.startswith(f"{where} ("))
        objects[f"{where} ({number + 1})" if number else where] = item
    return EndState(objects, {words.replace(name): count for name, count in sorted(effects.items())})


async def read_objects(
    client: Client, namespace: str, addresses: Iterable[Address]
) -> list[tuple[Address, dict[str, Any]]]:
    """What lies in the namespace of these kinds, whole; without what is no part of an end state."""
    return [
        (address, item)
        for address in sorted(set(addresses))
        if (address[0], address[2]) not in BOOKKEEPING
        for item in await _items(client, namespace, address)
        if not _servers_own(address[2], item)
    ]


async def _items(client: Client, namespace: str, address: Address) -> list[dict[str, Any]]:
    group, version, plural = address
    base = f"/apis/{group}/{version}" if group else f"/api/{version}"
    request = requests.raw_get(f"{base}/namespaces/{namespace}/{plural}")
    try:
        body = (await client.send(request)).body
    except NotFound:  # a kind without namespaces, or one that nobody serves
        return []
    items: list[dict[str, Any]] = msgspec.json.decode(body).get("items") or []
    return items


def _servers_own(plural: str, item: Mapping[str, Any]) -> bool:
    name = item["metadata"]["name"]
    return (plural, name) in (("configmaps", "kube-root-ca.crt"), ("serviceaccounts", "default")) or (
        plural == "secrets" and item.get("type") == "kubernetes.io/service-account-token"
    )


@attrs.frozen
class _Words:
    """Texts that differ from run to run, and what stands for each."""

    by_text: Mapping[str, str]
    pattern: re.Pattern[str]

    @classmethod
    def of(cls, namespace: str, found: Sequence[tuple[str, Mapping[str, Any]]], derived: Derived) -> "_Words":
        by_text = {namespace: "<namespace>"}
        for _, item in found:
            metadata = item["metadata"]
            name, stem = metadata["name"], metadata.get("generateName")
            if stem and name.startswith(stem):
                by_text[name] = f"{stem}<generated>"
            by_text |= derived(metadata["uid"])
        names = cls._by(dict(by_text))  # those that the words for uids are made of
        for plural, item in found:
            by_text[item["metadata"]["uid"]] = f"<uid of {plural} {names.replace(item['metadata']['name'])}>"
        return cls._by(by_text)

    @classmethod
    def _by(cls, by_text: Mapping[str, str]) -> "_Words":
        longest_first = sorted(by_text, key=len, reverse=True)
        return cls(by_text, re.compile("|".join(re.escape(text) for text in longest_first)))

    def replace(self, text: str) -> str:
        return _TIME.sub("<time>", self.pattern.sub(lambda match: self.by_text[match[0]], text))


def _normal(
    found: Iterable[tuple[str, dict[str, Any]]], words: _Words, volatile: Sequence[str]
) -> Iterator[tuple[str, Any]]:
    for plural, item in found:
        item.pop("kind", None)  # the address says it, and lists of built-in kinds leave it out
        item.pop("apiVersion", None)
        metadata = item["metadata"]
        _name_generations(item.get("status"), metadata.get("generation"))
        for field in _DROPPED:
            metadata.pop(field, None)
        annotations = metadata.get("annotations") or {}
        annotations.pop(TOUCH, None)
        if not annotations:
            metadata.pop("annotations", None)
        for path in volatile:
            _drop(item, path.split("."))
        name = metadata["name"]
        yield f"{plural} {words.replace(name)}", _replaced(item, words)


def _name_generations(status: Any, generation: int | None) -> None:
    """Say of each observedGeneration only whether it is the object's own."""
    if isinstance(status, list):
        for value in status:
            _name_generations(value, generation)
    if isinstance(status, dict):
        for name, value in status.items():
            if name == "observedGeneration":
                status[name] = "<current>" if value == generation else "<outdated>"
            else:
                _name_generations(value, generation)


def _drop(value: Any, path: Sequence[str]) -> None:
    for part in path[:-1]:
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, dict):
        value.pop(path[-1], None)


def _replaced(value: Any, words: _Words) -> Any:
    match value:
        case str():
            return words.replace(value)
        case dict():
            return {words.replace(key): _replaced(one, words) for key, one in value.items()}
        case list():
            return [_replaced(one, words) for one in value]
        case _:
            return value


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value, order="deterministic")


def _text(state: EndState) -> str:
    value = {**state.objects, "effects": dict(state.effects)}
    return yaml.safe_dump(value, sort_keys=True, allow_unicode=True)
