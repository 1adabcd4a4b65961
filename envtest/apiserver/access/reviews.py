"""Reviews are questions that a POST answers and nobody stores: whose token is this, may they do that (A-03).

They are answered from the same tokens and roles that decide about requests. Pure but for what it asks.
"""

from typing import Any

import attrs

from windlass.envtest.apiserver.access.attributes import Attributes
from windlass.envtest.apiserver.access.gate import Gate
from windlass.envtest.apiserver.errors import ApiError, Fault, bad_request, invalid
from windlass.envtest.apiserver.identity import User
from windlass.envtest.apiserver.kinds import Resource
from windlass.envtest.apiserver.schema.validation import validate
from windlass.envtest.apiserver.values import Json

__all__ = ("Question", "review")

_TEXT: Json = {"type": "string", "nullable": True}
_TEXTS: Json = {"type": "array", "nullable": True, "items": {"type": "string"}}
_RESOURCE_FIELDS = ("verb", "group", "version", "resource", "subresource", "namespace", "name")


def _object(**properties: Json) -> Json:
    return {"type": "object", "nullable": True, "properties": properties}


_SPEC = _object(
    token=_TEXT,
    audiences=_TEXTS,
    namespace=_TEXT,
    user=_TEXT,
    uid=_TEXT,
    groups=_TEXTS,
    extra={"type": "object", "nullable": True, "additionalProperties": _TEXTS},
    resourceAttributes=_object(**dict.fromkeys(_RESOURCE_FIELDS, _TEXT)),
    nonResourceAttributes=_object(path=_TEXT, verb=_TEXT),
)


@attrs.frozen
class Question:
    """A review's body, the user who asks, and the namespace it was asked in."""

    resource: Resource
    body: Json
    user: User
    namespace: str = ""

    @property
    def spec(self) -> Json:
        """What is asked."""
        return self.body.get("spec") or {}


def review(question: Question, gate: Gate) -> Json:
    """The body with its answer; raises 400 and 422."""
    faults = validate(question.body.get("spec"), _SPEC)
    if faults:
        raise bad_request(f"{question.resource.kind} cannot be handled: spec.{faults[0].field}: {faults[0].message}")
    metadata: Json = {"creationTimestamp": None}
    if question.namespace:
        metadata["namespace"] = question.namespace
    found: Json = {"kind": question.resource.kind, "apiVersion": question.resource.api_version, "metadata": metadata}
    match question.resource.kind:
        case "TokenReview":
            return found | {"spec": question.spec, "status": _authentication(question, gate)}
        case "SelfSubjectReview":
            return found | {"status": {"userInfo": question.user.info()}}
        case "SelfSubjectRulesReview":
            return found | {"spec": {}, "status": _rules(question, gate)}
    return found | {"spec": question.spec, "status": _access(question, gate)}


def _authentication(question: Question, gate: Gate) -> Json:
    token = question.spec.get("token")
    if not token:
        raise bad_request("token is required for TokenReview in authentication")
    found = gate.authenticator.owner(token, question.spec.get("audiences") or ())
    if found is None:
        return {"user": {}, "error": "invalid bearer token"}
    user, audiences = found
    return {"authenticated": True, "user": user.info(), "audiences": audiences}


def _access(question: Question, gate: Gate) -> Json:
    spec, kind = question.spec, question.resource.kind
    self_asked = kind.startswith("Self")
    faults = _attribute_faults(spec, local=kind.startswith("Local"))
    if not self_asked and not spec.get("user") and not spec.get("groups"):
        faults.append(Fault.invalid("spec.user", "", "at least one of user or group must be specified"))
    if faults:
        raise _refused(question.resource, faults)
    resource = spec.get("resourceAttributes")
    if kind.startswith("Local") and ((resource or {}).get("namespace") or "") != question.namespace:
        raise bad_request(f"spec.resourceAttributes.namespace must match namespace: {question.namespace}")
    decision = gate.authorizer.decide(question.user if self_asked else _asked_about(spec), _wanted(spec))
    return {"allowed": decision.allowed} | ({"reason": decision.reason} if decision.reason else {})


def _refused(resource: Resource, faults: list[Fault]) -> ApiError:
    """As in Kubernetes the refusal of a review does not name its kind."""
    error = invalid("", resource.group, "", faults)
    error.details = {field: value for field, value in error.details.items() if value}
    return error


def _attribute_faults(spec: Json, *, local: bool) -> list[Fault]:
    resource, other = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if other is not None and local:
        return [Fault.invalid("spec.nonResourceAttributes", other, "disallowed on this kind of request")]
    if other is not None and resource is not None:
        detail = "cannot be specified in combination with resourceAttributes"
        return [Fault.invalid("spec.nonResourceAttributes", other, detail)]
    if other is None and resource is None:
        detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        return [Fault.invalid("spec.resourceAttributes", None, detail)]
    return []


def _asked_about(spec: Json) -> User:
    extra = {key: tuple(values or ()) for key, values in (spec.get("extra") or {}).items()}
    return User(spec.get("user") or "", tuple(spec.get("groups") or ()), spec.get("uid") or "", extra)


def _wanted(spec: Json) -> Attributes:
    other = spec.get("nonResourceAttributes")
    if other is not None:
        return Attributes(other.get("verb") or "", other.get("path") or "/")
    given: dict[str, Any] = spec["resourceAttributes"]
    fields = ("group", "resource", "subresource", "namespace", "name")
    return Attributes(given.get("verb") or "", **{field: given.get(field) or "" for field in fields})


def _rules(question: Question, gate: Gate) -> Json:
    namespace = question.spec.get("namespace")
    if not namespace:
        raise bad_request("no namespace on request")
    holding = gate.authorizer.holding(question.user, namespace)
    rules = [rule for rule, _ in holding.rules]
    status: Json = {
        "resourceRules": [rule.written() for rule in rules if rule.resources],
        "nonResourceRules": [rule.written() for rule in rules if rule.urls],
        "incomplete": False,
    }
    if holding.problems:
        status["evaluationError"] = ", ".join(holding.problems)
    return status
