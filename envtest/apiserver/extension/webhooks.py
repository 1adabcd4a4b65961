"""Which webhooks a write concerns is a function of their configurations, the write and the labels of its namespace.

Rules, selectors and the match policy follow the matchers of the admission plugins in Kubernetes. Pure; who asks is
`admission`, who judges the configurations themselves is `registrations`.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from windlass.envtest.apiserver.decisions import Endpoint
from windlass.envtest.apiserver.kinds import Resource
from windlass.envtest.apiserver.selectors import LabelRequirement, matches_labels, selector_of
from windlass.envtest.apiserver.store.storage import Stored
from windlass.envtest.apiserver.values import Json

__all__ = ("MUTATING", "REGISTRATIONS", "VALIDATING", "Hook", "Rule", "Write", "endpoint_of", "hooks_of", "matched")

MUTATING = "mutatingwebhookconfigurations.admissionregistration.k8s.io"
VALIDATING = "validatingwebhookconfigurations.admissionregistration.k8s.io"
REGISTRATIONS = (MUTATING, VALIDATING)


@attrs.frozen
class Rule:
    """What a webhook wants to hear of; `*` stands for everything."""

    groups: frozenset[str]
    versions: frozenset[str]
    resources: tuple[tuple[str, str], ...]  # with the subresource, which is empty for the object itself
    operations: frozenset[str]
    scope: str

    def matches(self, resource: Resource, write: "Write") -> bool:
        """Whether a write is meant, seen as one of `resource`."""
        clustered = not write.namespace or resource.qualified == "namespaces"
        return (
            (self.scope == "*" or clustered == (self.scope == "Cluster"))
            and _among(write.operation, self.operations)
            and _among(resource.version, self.versions)
            and _among(resource.group, self.groups)
            and any(
                part in ("*", write.subresource) and name in ("*", resource.plural) for name, part in self.resources
            )
        )


@attrs.frozen
class Hook:
    """One webhook of one configuration."""

    name: str
    endpoint: Endpoint
    rules: tuple[Rule, ...]
    namespaces: tuple[LabelRequirement, ...]
    objects: tuple[LabelRequirement, ...]
    equivalent: bool
    ignores_failure: bool
    reinvoked: bool
    review_version: str
    timeout: float


@attrs.frozen
class Write:
    """What is to be admitted. `obj` and `old` are in the version of the request, None where there is none."""

    resource: Resource
    operation: str  # CREATE, UPDATE or DELETE
    namespace: str
    name: str
    subresource: str
    obj: Json | None
    old: Json | None
    options: Json
    dry_run: bool

    @classmethod
    def of(cls, resource: Resource, operation: str, place: tuple[str, str, str], **what: Any) -> "Write":
        """A write at a namespace, name and subresource; that of a namespace is in the namespace itself."""
        namespace, name, subresource = place
        if resource.qualified == "namespaces":
            namespace = name
        return cls(resource, operation, namespace, name, subresource, **what)


def _among(value: str, choices: frozenset[str]) -> bool:
    return "*" in choices or value in choices


def hooks_of(configurations: Iterable[Stored]) -> list[Hook]:
    """The webhooks, in the order in which they are called: by the names of the configurations."""
    return [_hook(one) for stored in configurations for one in stored.obj.get("webhooks") or []]


def _hook(raw: Json) -> Hook:
    return Hook(
        raw["name"],
        endpoint_of(raw["clientConfig"]),
        tuple(_rule(rule) for rule in raw.get("rules") or []),
        selector_of(raw.get("namespaceSelector")),
        selector_of(raw.get("objectSelector")),
        equivalent=raw.get("matchPolicy") == "Equivalent",
        ignores_failure=raw.get("failurePolicy") == "Ignore",
        reinvoked=raw.get("reinvocationPolicy") == "IfNeeded",
        review_version=next(one for one in raw["admissionReviewVersions"] if one in ("v1", "v1beta1")),
        timeout=float(raw.get("timeoutSeconds") or 10),
    )


def _rule(raw: Json) -> Rule:
    resources = tuple((name, part) for name, _, part in (text.partition("/") for text in raw["resources"]))
    groups, versions, operations = (frozenset(raw[field]) for field in ("apiGroups", "apiVersions", "operations"))
    return Rule(groups, versions, resources, operations, raw.get("scope") or "*")


def endpoint_of(client: Mapping[str, Any]) -> Endpoint:
    """Where a clientConfig leads."""
    service = client.get("service")
    authority = str(client.get("caBundle") or "")
    if not service:
        return Endpoint(str(client.get("url") or ""), None, authority)
    place = (service["namespace"], service["name"], service.get("path") or "", int(service.get("port") or 443))
    return Endpoint("", place, authority)


def matched(
    hook: Hook, write: Write, equivalents: Iterable[Resource], labels_of: Callable[[str], Mapping[str, str]]
) -> Resource | None:
    """The version of the kind under which a webhook hears of a write; None if it does not.

    `labels_of` gives the labels of a namespace, `equivalents` the other served versions of the kind.
    """
    if not _namespace_selected(hook, write, labels_of) or not _object_selected(hook, write):
        return None
    if any(rule.matches(write.resource, write) for rule in hook.rules):
        return write.resource
    if not hook.equivalent:
        return None
    return next((one for one in equivalents if any(rule.matches(one, write) for rule in hook.rules)), None)


def _namespace_selected(hook: Hook, write: Write, labels_of: Callable[[str], Mapping[str, str]]) -> bool:
    if not hook.namespaces:
        return True
    if write.resource.qualified == "namespaces" and not write.subresource and write.operation != "DELETE":
        return matches_labels(hook.namespaces, _labels(write.obj))
    return not write.namespace or matches_labels(hook.namespaces, labels_of(write.namespace))


def _object_selected(hook: Hook, write: Write) -> bool:
    if not hook.objects:
        return True
    return any(one is not None and matches_labels(hook.objects, _labels(one)) for one in (write.obj, write.old))


def _labels(obj: Json | None) -> Mapping[str, str]:
    labels: Mapping[str, str] = ((obj or {}).get("metadata") or {}).get("labels") or {}
    return labels
