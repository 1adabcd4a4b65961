"""A configuration of webhooks that is stored can be acted on; this is the list of reasons for which one is refused.

Defaults and rules of admissionregistration.k8s.io/v1, and the rules of every clientConfig, which definitions with a
conversion webhook share. Pure.
"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from windlass.envtest.apiserver.errors import Fault
from windlass.envtest.apiserver.extension.webhooks import MUTATING
from windlass.envtest.apiserver.selectors import selector_faults
from windlass.envtest.apiserver.values import Json

__all__ = ("REVIEW_VERSIONS", "client_faults", "complete_client", "complete_hooks", "registration_faults")

REVIEW_VERSIONS = ("v1", "v1beta1")
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?){2,}\Z")
_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_CHOICES = {
    "failurePolicy": ("Fail", "Ignore"),
    "matchPolicy": ("Equivalent", "Exact"),
    "sideEffects": ("None", "NoneOnDryRun"),
    "reinvocationPolicy": ("IfNeeded", "Never"),
}
_DEFAULTS: Json = {"failurePolicy": "Fail", "matchPolicy": "Equivalent", "timeoutSeconds": 10}
_FORM = "; desired format: https://host[/path]"


def complete_hooks(qualified: str, obj: Json) -> None:
    """Fill in what a configuration may leave out. Changes `obj`."""
    for hook in obj.get("webhooks") or []:
        for field, value in _DEFAULTS.items():
            _fill(hook, field, value)
        for field in ("namespaceSelector", "objectSelector"):
            _fill(hook, field, {})
        if qualified == MUTATING:
            _fill(hook, "reinvocationPolicy", "Never")
        for rule in hook.get("rules") or []:
            _fill(rule, "scope", "*")
        complete_client(hook.get("clientConfig"))


def complete_client(client: Json | None) -> None:
    """Fill in the port of a service. Changes `client`."""
    if client and client.get("service") is not None:  # an empty one, too: its faults are told one by one
        _fill(client["service"], "port", 443)


def _fill(holder: Json, field: str, value: Any) -> None:
    if holder.get(field) is None:
        holder[field] = value


def registration_faults(obj: Json) -> list[Fault]:
    """What is wrong with a configuration; its JSON types are known to be right."""
    faults: list[Fault] = []
    names: set[str] = set()
    for index, hook in enumerate(obj.get("webhooks") or []):
        place = f"webhooks[{index}]"
        faults += _hook(hook, place)
        name = hook.get("name") or ""
        if name in names:
            faults.append(Fault.duplicate(f"{place}.name", name))
        names.add(name)
    return faults


def _hook(hook: Json, place: str) -> Iterator[Fault]:
    name = hook.get("name") or ""
    if not name:
        yield Fault.required(f"{place}.name")
    elif not _NAME.match(name):
        yield Fault.invalid(f"{place}.name", name, "should be a domain with at least three segments separated by dots")
    if not hook.get("sideEffects"):
        yield Fault.required(f"{place}.sideEffects", "must specify one of None, NoneOnDryRun")
    versions = hook.get("admissionReviewVersions") or []
    if not versions:
        yield Fault.required(f"{place}.admissionReviewVersions", f"must specify one of {', '.join(REVIEW_VERSIONS)}")
    elif not any(version in REVIEW_VERSIONS for version in versions):
        detail = f"must include at least one of {', '.join(REVIEW_VERSIONS)}"
        yield Fault.invalid(f"{place}.admissionReviewVersions", versions, detail)
    for field, choices in _CHOICES.items():
        if hook.get(field) and hook[field] not in choices:
            yield Fault.unsupported(f"{place}.{field}", hook[field], choices)
    if not 1 <= hook["timeoutSeconds"] <= 30:
        detail = "the timeout value must be between 1 and 30 seconds"
        yield Fault.invalid(f"{place}.timeoutSeconds", hook["timeoutSeconds"], detail)
    for index, rule in enumerate(hook.get("rules") or []):
        yield from _rule(rule, f"{place}.rules[{index}]")
    for field in ("namespaceSelector", "objectSelector"):
        yield from selector_faults(hook.get(field), f"{place}.{field}")
    yield from client_faults(hook.get("clientConfig") or {}, f"{place}.clientConfig")


def _rule(rule: Json, place: str) -> Iterator[Fault]:
    for field in ("apiGroups", "apiVersions", "operations", "resources"):
        found = rule.get(field) or []
        if not found:
            yield Fault.required(f"{place}.{field}")
        if field != "apiGroups" and "" in found:
            yield Fault.required(f"{place}.{field}[{found.index('')}]")
        if "*" in found and len(found) > 1 and field != "resources":
            yield Fault.invalid(
                f"{place}.{field}", found, f"if '*' is present, must not specify other {_PLURALS[field]}"
            )
    for index, operation in enumerate(rule.get("operations") or []):
        if operation not in _OPERATIONS:
            yield Fault.unsupported(f"{place}.operations[{index}]", operation, _OPERATIONS)
    if rule["scope"] not in ("*", "Cluster", "Namespaced"):
        yield Fault.unsupported(f"{place}.scope", rule["scope"], ("*", "Cluster", "Namespaced"))
    resources = rule.get("resources") or []
    if "*/*" in resources and len(resources) > 1:
        yield Fault.invalid(f"{place}.resources", resources, "if '*/*' is present, must not specify other resources")


_PLURALS = {"apiGroups": "API groups", "apiVersions": "API versions", "operations": "operations"}


def client_faults(client: Json, place: str) -> list[Fault]:
    """What is wrong with a clientConfig."""
    url, service = client.get("url"), client.get("service")
    if (url is None) == (service is None):
        return [Fault.required(place, "exactly one of url or service is required")]
    if service is not None:
        return list(_service(service, f"{place}.service"))
    return list(_url(str(url), f"{place}.url"))


def _service(service: Json, place: str) -> Iterator[Fault]:
    for field in ("name", "namespace"):
        if not service.get(field):
            yield Fault.required(f"{place}.{field}", f"service {field} is required")
    if not 1 <= service["port"] <= 65535:
        yield Fault.invalid(
            f"{place}.port", service["port"], "port is not valid: must be between 1 and 65535, inclusive"
        )
    path: Any = service.get("path")
    if path and not path.startswith("/"):
        yield Fault.invalid(f"{place}.path", path, "must start with a '/'")


def _url(url: str, place: str) -> Iterator[Fault]:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises for a port that is none
    except ValueError as error:
        yield Fault.required(place, f"url must be a valid URL: {error}{_FORM}")
        return
    if parts.scheme != "https":
        yield Fault.invalid(place, parts.scheme, f"'https' is the only allowed URL scheme{_FORM}")
    if not parts.hostname:
        yield Fault.invalid(place, parts.netloc, f"host must be specified{_FORM}")
    if parts.username is not None:
        yield Fault.invalid(place, parts.username, "user information is not permitted in the URL")
    if parts.fragment:
        yield Fault.invalid(place, parts.fragment, "fragments are not permitted in the URL")
    if parts.query:
        yield Fault.invalid(place, parts.query, "query parameters are not permitted in the URL")
