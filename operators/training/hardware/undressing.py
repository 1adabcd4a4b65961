"""A template without a device nowhere mentions it: no resource, claim, label, taint or variable of it is left (C5).

Everything else in the template stays as it was, in a new value. This module does not know what is put on instead.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from windlass.operators.training.hardware.profile import Profile

__all__ = ("CLAIM", "Json", "containers_of", "undress")

Json: TypeAlias = dict[str, Any]

CLAIM: Final = "windlass-devices"
"""The name under which a Pod of ours refers to its claim."""

_KINDS: Final = ("containers", "initContainers", "ephemeralContainers")


def containers_of(spec: Mapping[str, Any]) -> list[Json]:
    """Every container of a Pod's spec: its own, the init containers and sidecars, and ephemeral ones."""
    return [container for kind in _KINDS for container in spec.get(kind) or ()]


def undress(template: Mapping[str, Any], profiles: Iterable[Profile], *, kept: Profile | None = None) -> Json:
    """The template without anything of these profiles, and without our claim.

    Of `kept`, which the template is going to have, only the amounts go: its labels and variables are its user's.
    """
    gone = _Gone(tuple(profiles), kept)
    made: Json = dict(template)
    if "metadata" in template:
        made["metadata"] = {
            name: gone.keys(value) if name in ("labels", "annotations") and value else value
            for name, value in template["metadata"].items()
        }
    spec: Json = dict(template.get("spec") or {})
    for kind in _KINDS:
        if spec.get(kind):
            spec[kind] = [gone.container(one) for one in spec[kind]]
    _keep(spec, "nodeSelector", gone.keys)
    _keep(spec, "overhead", gone.keys)
    _keep(spec, "tolerations", lambda found: [one for one in found if not gone.is_named(one.get("key"))])
    _keep(spec, "affinity", gone.affinity)
    _keep(spec, "topologySpreadConstraints", gone.spread)
    _keep(spec, "resourceClaims", lambda found: [one for one in found if one.get("name") != CLAIM])
    _keep(spec, "volumes", lambda found: [gone.volume(one) for one in found])
    _keep(spec, "resources", gone.amounts)
    if any(spec.get("runtimeClassName") in profile.runtime_classes for profile in gone.profiles):
        del spec["runtimeClassName"]
    made["spec"] = spec
    return made


def _keep(spec: Json, name: str, edit: Callable[[Any], Any]) -> None:
    """Edit a field that is there, and drop it if nothing is left of it."""
    if name in spec:
        left = edit(spec[name]) if spec[name] else spec[name]
        if left or not spec[name]:
            spec[name] = left
        else:
            del spec[name]


class _Gone:
    """What is to go, by name."""

    def __init__(self, profiles: tuple[Profile, ...], kept: Profile | None) -> None:
        self.profiles = profiles
        self._replaced = () if kept is None else (*kept.domains, kept.resource)
        self._domains = frozenset(domain for profile in profiles for domain in profile.domains)
        self._names = frozenset(name for one in profiles for name in (one.resource, *one.companions) if name)
        self._prefixes = tuple(prefix for profile in profiles for prefix in profile.env_prefixes)

    def is_named(self, key: str | None) -> bool:
        """Whether a resource, label or taint is the device's: `nvidia.com/gpu`, or `requests.nvidia.com/gpu`."""
        if not key:
            return False
        domain = key.partition("/")[0]
        return key in self._names or any(domain == one or domain.endswith(f".{one}") for one in self._domains)

    def keys(self, found: Mapping[str, Any]) -> Json:
        return {key: value for key, value in found.items() if not self.is_named(key)}

    def container(self, container: Mapping[str, Any]) -> Json:
        made: Json = dict(container)
        _keep(made, "resources", self.amounts)
        _keep(made, "env", lambda found: [one for one in found if not self._is_variable(one)])
        return made

    def amounts(self, resources: Mapping[str, Any]) -> Json:
        made = dict(resources)
        for kind in ("requests", "limits"):
            _keep(
                made,
                kind,
                lambda found: {
                    name: amount
                    for name, amount in found.items()
                    if not self.is_named(name) and not {name, name.partition("/")[0]} & set(self._replaced)
                },
            )
        _keep(made, "claims", lambda found: [one for one in found if one.get("name") != CLAIM])
        return made

    def _is_variable(self, variable: Mapping[str, Any]) -> bool:
        source = (variable.get("valueFrom") or {}).get("resourceFieldRef") or {}
        field = (variable.get("valueFrom") or {}).get("fieldRef") or {}
        return (
            str(variable.get("name", "")).startswith(self._prefixes)
            or self._is_field(source.get("resource"))
            or self._is_path(field.get("fieldPath"))
        )

    def _is_field(self, resource: str | None) -> bool:
        """`limits.nvidia.com/gpu` or `requests.nvidia.com/gpu`."""
        return self.is_named((resource or "").partition(".")[2])

    def _is_path(self, path: str | None) -> bool:
        """`metadata.labels['nvidia.com/gpu.product']`."""
        return self.is_named((path or "").partition("['")[2].removesuffix("']"))

    def volume(self, volume: Mapping[str, Any]) -> Json:
        made: Json = dict(volume)
        if volume.get("downwardAPI"):
            made["downwardAPI"] = self._items(volume["downwardAPI"])
        if volume.get("projected"):
            sources = [
                {**one, "downwardAPI": self._items(one["downwardAPI"])} if one.get("downwardAPI") else one
                for one in volume["projected"].get("sources") or ()
            ]
            made["projected"] = {**volume["projected"], "sources": sources}
        return made

    def _items(self, projection: Mapping[str, Any]) -> Json:
        kept = [
            item
            for item in projection.get("items") or ()
            if not self._is_field((item.get("resourceFieldRef") or {}).get("resource"))
            and not self._is_path((item.get("fieldRef") or {}).get("fieldPath"))
        ]
        return {**projection, "items": kept}

    def spread(self, constraints: Iterable[Mapping[str, Any]]) -> list[Any]:
        return [
            one
            for one in constraints
            if not self.is_named(one.get("topologyKey")) and not self._selects(one.get("labelSelector"))
        ]

    def affinity(self, affinity: Mapping[str, Any]) -> Json:
        made: Json = dict(affinity)
        _keep(made, "nodeAffinity", self._node_affinity)
        for kind in ("podAffinity", "podAntiAffinity"):
            _keep(made, kind, self._pod_affinity)
        return made

    def _node_affinity(self, affinity: Mapping[str, Any]) -> Json:
        made: Json = dict(affinity)
        _keep(made, "requiredDuringSchedulingIgnoredDuringExecution", self._node_terms)
        _keep(
            made,
            "preferredDuringSchedulingIgnoredDuringExecution",
            lambda found: [
                {**one, "preference": left} for one in found if (left := self._node_term(one.get("preference") or {}))
            ],
        )
        return made

    def _node_terms(self, required: Mapping[str, Any]) -> Json:
        # Terms are alternatives: one of which nothing is left would be no term, and so would allow nothing.
        left = [term for one in required.get("nodeSelectorTerms") or () if (term := self._node_term(one))]
        return {**required, "nodeSelectorTerms": left} if left else {}

    def _node_term(self, term: Mapping[str, Any]) -> Json:
        made: Json = dict(term)
        _keep(made, "matchExpressions", lambda found: [one for one in found if not self.is_named(one.get("key"))])
        return made

    def _pod_affinity(self, affinity: Mapping[str, Any]) -> Json:
        made: Json = dict(affinity)
        _keep(
            made,
            "requiredDuringSchedulingIgnoredDuringExecution",
            lambda found: [one for one in found if not self._is_term(one)],
        )
        _keep(
            made,
            "preferredDuringSchedulingIgnoredDuringExecution",
            lambda found: [one for one in found if not self._is_term(one.get("podAffinityTerm") or {})],
        )
        return made

    def _is_term(self, term: Mapping[str, Any]) -> bool:
        return (
            self.is_named(term.get("topologyKey"))
            or self._selects(term.get("labelSelector"))
            or self._selects(term.get("namespaceSelector"))
        )

    def _selects(self, selector: Mapping[str, Any] | None) -> bool:
        found = selector or {}
        keys = [*(found.get("matchLabels") or {}), *(one.get("key") for one in found.get("matchExpressions") or ())]
        return any(self.is_named(key) for key in keys)
