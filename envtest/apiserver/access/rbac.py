"""A rule permits by listing; nothing forbids, so a request is allowed when one rule of one bound role permits it. Pure.

`Rule.permits` answers for one request, `uncovered` whether whoever holds some rules may hand out others. Both follow
https://kubernetes.io/docs/reference/access-authn-authz/rbac/. Which rules somebody holds is known in `authorization`.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Self

import attrs

from windlass.envtest.apiserver.access.attributes import Attributes
from windlass.envtest.apiserver.values import Json

__all__ = ("Rule", "quoted", "rules_of", "uncovered")

ALL = "*"


@attrs.frozen
class Rule:
    """One entry of a role's `rules`: of resources, or of paths (`urls`)."""

    verbs: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()

    @classmethod
    def of(cls, entry: Json) -> Self:
        """Read one entry; what is no list counts as empty."""
        fields = ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")
        return cls(*(_texts(entry.get(field)) for field in fields))

    def permits(self, wanted: Attributes) -> bool:
        """Whether the rule allows a request."""
        if not _has(self.verbs, wanted.verb):
            return False
        if wanted.path:
            return any(_url_matches(url, wanted.path) for url in self.urls)
        return (
            _has(self.groups, wanted.group)
            and self._names_resource(wanted)
            and (not self.names or wanted.name in self.names)
        )

    def _names_resource(self, wanted: Attributes) -> bool:
        if _has(self.resources, wanted.combined):
            return True
        return bool(wanted.subresource) and f"*/{wanted.subresource}" in self.resources

    def covers(self, part: "Rule") -> bool:
        """Whether all that `part` permits is permitted here; `part` is one of `_parts`."""
        if not _has(self.verbs, part.verbs[0]):
            return False
        if part.urls:
            return any(_url_matches(url, part.urls[0]) for url in self.urls)
        resource = part.resources[0]
        return (
            _has(self.groups, part.groups[0])
            and (_has(self.resources, resource) or f"*/{resource.partition('/')[2]}" in self.resources)
            and (not self.names or (bool(part.names) and part.names[0] in self.names))
        )

    def written(self) -> Json:
        """As reviews list it: what is empty is left out."""
        found: Json = {
            "verbs": self.verbs,
            "apiGroups": self.groups,
            "resources": self.resources,
            "resourceNames": self.names,
            "nonResourceURLs": self.urls,
        }
        return {field: list(values) for field, values in found.items() if values}

    def __str__(self) -> str:
        """As refusals of an escalation name it."""
        found = {
            "APIGroups": self.groups,
            "Resources": self.resources,
            "NonResourceURLs": self.urls,
            "ResourceNames": self.names,
            "Verbs": self.verbs,
        }
        shown = (f"{field}:[{quoted(values)}]" for field, values in found.items() if values)
        return "{" + ", ".join(shown) + "}"


def quoted(values: Iterable[str]) -> str:
    """Texts as Go prints a list of them."""
    return " ".join(f'"{value}"' for value in values)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _has(listed: tuple[str, ...], one: str) -> bool:
    return ALL in listed or one in listed


def _url_matches(url: str, path: str) -> bool:
    """A star ends a prefix, and stands for everything by itself."""
    return path.startswith(url[:-1]) if url.endswith(ALL) else url == path


def rules_of(role: Json) -> list[Rule]:
    """The rules of a Role or ClusterRole."""
    entries = role.get("rules")
    return [Rule.of(entry) for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def uncovered(held: Sequence[Rule], wanted: Iterable[Rule]) -> list[Rule]:
    """What `wanted` permits and `held` does not, its verbs gathered by resource and in the order of their text."""
    missing: dict[tuple[tuple[str, ...], ...], list[str]] = {}
    for part in (part for rule in wanted for part in _parts(rule)):
        if not any(rule.covers(part) for rule in held):
            verbs = missing.setdefault((part.groups, part.resources, part.names, part.urls), [])
            verbs += [verb for verb in part.verbs if verb not in verbs]
    return sorted((Rule(tuple(verbs), *place) for place, verbs in missing.items()), key=str)


def _parts(rule: Rule) -> list[Rule]:
    """The smallest rules that permit the same together."""
    names: list[tuple[str, ...]] = [(name,) for name in rule.names] or [()]
    found = [
        Rule((verb,), (group,), (resource,), name)
        for group in rule.groups
        for resource in rule.resources
        for verb in rule.verbs
        for name in names
    ]
    return found + [Rule((verb,), urls=(url,)) for url in rule.urls for verb in rule.verbs]
