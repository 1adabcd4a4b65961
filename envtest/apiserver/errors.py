"""Every refusal is a Kubernetes Status document; this module is the only place where one is worded.

    Exception
    ├── ServerError      the server itself cannot start or go on: an occupied port, a locked or unreadable database
    └── ApiError         one request is refused; carries code, reason, message and details

`Fault` is one entry of a 422: a field, what was found, what was expected. This module does not know HTTP.
Statement ids (E-01 …) refer to the fidelity list in the reference.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Self

import attrs

__all__ = (
    "ApiError",
    "Fault",
    "ServerError",
    "already_exists",
    "bad_request",
    "conflict",
    "expired",
    "forbidden",
    "internal_error",
    "invalid",
    "method_not_allowed",
    "modified",
    "namespace_terminating",
    "not_found",
    "too_large_version",
    "unsupported_media_type",
)

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


class ServerError(Exception):
    """The server cannot start or continue; the message names the address or the file."""


class ApiError(Exception):
    """A refused request: `code` is the HTTP status, `reason` the machine-readable word of Kubernetes.

    A `plain` one is no Status, but text.
    """

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        continue_token: str = "",
        plain: bool = False,
    ) -> None:
        self.plain = plain
        self.code = code
        self.reason = reason
        self.message = message
        self.details = dict(details or {})
        self.continue_token = continue_token
        super().__init__(message)

    def status(self) -> dict[str, Any]:
        """The Status document (5.1)."""
        metadata = {"continue": self.continue_token} if self.continue_token else {}
        body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": metadata,
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            body["reason"] = self.reason
        if self.details:
            body["details"] = self.details
        return body | {"code": self.code}


def _shown(value: object) -> str:
    """A value as Kubernetes prints it inside a validation message: JSON, and nothing as a text."""
    if value is None:
        return '"null"'
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


@attrs.frozen
class Fault:
    """One validation error; `message` is what follows `field: ` in the summary."""

    field: str
    reason: str
    message: str

    @classmethod
    def required(cls, field: str, detail: str = "") -> Self:
        """A value is missing."""
        return cls(field, "FieldValueRequired", "Required value" + (f": {detail}" if detail else ""))

    @classmethod
    def invalid(cls, field: str, value: object, detail: str) -> Self:
        """A value breaks a rule."""
        return cls(field, "FieldValueInvalid", f"Invalid value: {_shown(value)}: {detail}")

    @classmethod
    def wrong_type(cls, field: str, found: str, expected: str) -> Self:
        """A value has another JSON type; the type stands where the value would, as in Kubernetes."""
        detail = f'{field or "<nil>"} in body must be of type {expected}: "{found}"'
        return cls(field, "FieldValueTypeInvalid", f'Invalid value: "{found}": {detail}')

    @classmethod
    def unsupported(cls, field: str, value: object, choices: Iterable[object]) -> Self:
        """A value is none of an enumeration."""
        listed = ", ".join(_shown(choice) for choice in choices)
        return cls(field, "FieldValueNotSupported", f"Unsupported value: {_shown(value)}: supported values: {listed}")

    @classmethod
    def duplicate(cls, field: str, value: object) -> Self:
        """A set or a keyed list holds a value twice."""
        return cls(field, "FieldValueDuplicate", f"Duplicate value: {_shown(value)}")

    @classmethod
    def forbidden(cls, field: str, detail: str) -> Self:
        """A field may not be set here."""
        return cls(field, "FieldValueForbidden", f"Forbidden: {detail}")

    @classmethod
    def too_long(cls, field: str, limit: int) -> Self:
        """A string exceeds its limit in bytes."""
        return cls(field, "FieldValueTooLong", f"Too long: may not be more than {limit} bytes")

    @classmethod
    def too_many(cls, field: str, count: int, limit: int) -> Self:
        """A list exceeds its limit of items."""
        return cls(field, "FieldValueTooMany", f"Too many: {count}: must have at most {limit} items")

    def cause(self) -> dict[str, str]:
        """The entry of `details.causes`."""
        return {"reason": self.reason, "message": self.message, "field": self.field or "<nil>"}


def _about(qualified: str, name: str) -> dict[str, Any]:
    plural, _, group = qualified.partition(".")
    details = {"name": name, "group": group, "kind": plural}
    return {field: value for field, value in details.items() if value}


def not_found(qualified: str, name: str) -> ApiError:
    """E-01; `qualified` is the plural with its group, as in `widgets.ex.dev`."""
    return ApiError(404, "NotFound", f'{qualified} "{name}" not found', details=_about(qualified, name))


def already_exists(qualified: str, name: str, *, deleting: bool = False) -> ApiError:
    """E-03."""
    prefix = "object is being deleted: " if deleting else ""
    details = _about(qualified, name)
    return ApiError(409, "AlreadyExists", f'{prefix}{qualified} "{name}" already exists', details=details)


def conflict(qualified: str, name: str, message: str) -> ApiError:
    """E-05: a precondition of an update or a deletion does not hold."""
    text = f'Operation cannot be fulfilled on {qualified} "{name}": {message}'
    return ApiError(409, "Conflict", text, details=_about(qualified, name))


def modified(qualified: str, name: str) -> ApiError:
    """E-04: the resource version is not the latest."""
    return conflict(qualified, name, MODIFIED)


def invalid(kind: str, group: str, name: str, faults: Iterable[Fault]) -> ApiError:
    """E-06: one summary line and one cause a fault."""
    listed = list(faults)
    texts = [f"{fault.field or '<nil>'}: {fault.message}" for fault in listed]
    summary = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    subject = f"{kind}.{group}" if group else kind
    details: dict[str, Any] = {"name": name, "kind": kind, "causes": [fault.cause() for fault in listed]}
    if group:
        details["group"] = group
    return ApiError(422, "Invalid", f'{subject} "{name}" is invalid: {summary}', details=details)


def bad_request(message: str) -> ApiError:
    """E-07."""
    return ApiError(400, "BadRequest", message)


def forbidden(qualified: str, name: str, message: str) -> ApiError:
    """403 with the usual subject in front."""
    text = f'{qualified} "{name}" is forbidden: {message}' if name else f"{qualified} is forbidden: {message}"
    return ApiError(403, "Forbidden", text, details=_about(qualified, name))


def namespace_terminating(qualified: str, name: str, namespace: str) -> ApiError:
    """N-02: nothing new goes into a namespace that is being emptied."""
    message = f"unable to create new content in namespace {namespace} because it is being terminated"
    error = forbidden(qualified, name, message)
    cause = {
        "reason": "NamespaceTerminating",
        "message": f"namespace {namespace} is being terminated",
        "field": "metadata.namespace",
    }
    error.details["causes"] = [cause]
    return error


def expired(message: str, *, continue_token: str = "") -> ApiError:
    """E-10: the version or the continue token is older than the history."""
    return ApiError(410, "Expired", message, continue_token=continue_token)


def too_large_version(asked: int, current: int) -> ApiError:
    """L-06: the version lies in the future."""
    message = f"Too large resource version: {asked}, current: {current}"
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    return ApiError(504, "Timeout", message, details={"causes": [cause], "retryAfterSeconds": 1})


def method_not_allowed() -> ApiError:
    """E-11."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message)


def unsupported_media_type(supported: Iterable[str]) -> ApiError:
    """E-12."""
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(supported)}"
    return ApiError(415, "UnsupportedMediaType", message)


def internal_error(message: str) -> ApiError:
    """500; CR-02 is the one case where Kubernetes answers a client's mistake so."""
    return ApiError(
        500, "InternalError", f"Internal error occurred: {message}", details={"causes": [{"message": message}]}
    )
