"""JSON patch (RFC 6902) and merge patch (RFC 7386) are functions from a value and a patch to a new value.

Neither changes its arguments. A failing `test` or a missing path is the client's 422 (P-02), a malformed document its
400. Strategic merge patches and server-side apply need to know types and live in `strategic` and `apply`.
"""

from typing import Any

from windlass.envtest.apiserver.errors import ApiError, bad_request
from windlass.envtest.apiserver.values import Json, copied, same

__all__ = ("OPERATIONS_MAX", "json_patch", "merge_patch")

OPERATIONS_MAX = 10_000  # E-14

_NEEDED = {
    "add": "value",
    "replace": "value",
    "test": "value",
    "remove": "",
    "move": "from",
    "copy": "from",
}


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386: null deletes, objects merge, anything else replaces (P-03)."""
    if not isinstance(patch, dict):
        return copied(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def json_patch(document: Any, operations: Any) -> Any:
    """RFC 6902; raises `ApiError` 400, 413 or 422."""
    if not isinstance(operations, list):
        raise bad_request("error decoding patch: a JSON patch is an array of operations")
    if len(operations) > OPERATIONS_MAX:
        message = f"The allowed maximum operations in a JSON patch is {OPERATIONS_MAX}, got {len(operations)}"
        raise ApiError(413, "RequestEntityTooLarge", message)
    holder = {"": copied(document)}
    for operation in operations:
        _perform(holder, _checked(operation))
    return holder[""]


def _checked(operation: Any) -> Json:
    """What is no object cannot be decoded (400); an object that is no operation fails when it is performed (422)."""
    if not isinstance(operation, dict):
        raise bad_request(f"error decoding patch: malformed operation {operation!r}")
    kind = operation.get("op")
    if not isinstance(kind, str) or kind not in _NEEDED or not isinstance(operation.get("path"), str):
        raise _unprocessable()
    needed = _NEEDED[kind]
    if needed and needed not in operation:
        raise _unprocessable()
    if needed == "from" and not isinstance(operation["from"], str):
        raise _unprocessable()
    return dict(operation)


def _perform(holder: Json, operation: Json) -> None:
    path = _pointer(operation["path"])
    match operation["op"]:
        case "add":
            _add(holder, path, copied(operation["value"]))
        case "remove":
            _remove(holder, path)
        case "replace":
            parent, key = _locate(holder, path)
            parent[key] = copied(operation["value"])
        case "test":
            parent, key = _locate(holder, path)
            if not same(parent[key], operation["value"]):
                raise _unprocessable()
        case "move":
            source = _pointer(operation["from"])
            if path != source and path[: len(source)] == source:
                raise _unprocessable()
            _add(holder, path, _remove(holder, source))
        case "copy":
            parent, key = _locate(holder, _pointer(operation["from"]))
            _add(holder, path, copied(parent[key]))


def _pointer(text: str) -> list[str]:
    """The path from the holder: the document itself hangs under the empty key, so the root needs no special case."""
    if text and not text.startswith("/"):
        raise _unprocessable()
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")]


def _parent(holder: Json, path: list[str]) -> Any:
    current: Any = holder
    for part in path[:-1]:
        current = current[_existing(current, part)]
    return current


def _locate(holder: Json, path: list[str]) -> tuple[Any, Any]:
    parent = _parent(holder, path)
    return parent, _existing(parent, path[-1])


def _existing(container: Any, part: str) -> Any:
    if isinstance(container, dict) and part in container:
        return part
    if isinstance(container, list):
        index = _index(part)
        if index < len(container):
            return index
    raise _unprocessable()


def _index(part: str) -> int:
    if not part.isascii() or not part.isdigit() or (len(part) > 1 and part.startswith("0")):
        raise _unprocessable()
    return int(part)


def _add(holder: Json, path: list[str], value: Any) -> None:
    parent, part = _parent(holder, path), path[-1]
    if isinstance(parent, dict):
        parent[part] = value
        return
    if not isinstance(parent, list):
        raise _unprocessable()
    index = len(parent) if part == "-" else _index(part)
    if index > len(parent):
        raise _unprocessable()
    parent.insert(index, value)


def _remove(holder: Json, path: list[str]) -> Any:
    if path == [""]:
        raise _unprocessable()
    parent, key = _locate(holder, path)
    return parent.pop(key)


def _unprocessable() -> ApiError:
    """Kubernetes does not say what of a patch could not be performed."""
    return ApiError(422, "Invalid", "the server rejected our request due to an error in our request")
