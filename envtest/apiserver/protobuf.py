"""kubectl creates namespaces, config maps, secrets, accounts and reviews as protobuf; those kinds are read.

The field numbers are those of the generated.proto files of Kubernetes, in tables; unknown fields are skipped. Answers
are always JSON, which every client accepts beside protobuf. Pure.
"""

import base64
from collections.abc import Callable, Iterator
from typing import Any

from windlass.envtest.apiserver.errors import ApiError, bad_request
from windlass.envtest.apiserver.values import Json

__all__ = ("PROTOBUF", "decode_protobuf")

PROTOBUF = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\0"

Reader = Callable[[Any], Any]
Table = dict[int, tuple[str, str, Reader]]  # number -> (name, one | many | map, how to read a value)


def _text(raw: bytes) -> str:
    return raw.decode()


def _bytes(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _message(table: Table) -> Reader:
    return lambda raw: _decode(raw, table)


_OWNER: Table = {
    1: ("kind", "one", _text),
    3: ("name", "one", _text),
    4: ("uid", "one", _text),
    5: ("apiVersion", "one", _text),
    6: ("controller", "one", bool),
    7: ("blockOwnerDeletion", "one", bool),
}
_METADATA: Table = {
    1: ("name", "one", _text),
    2: ("generateName", "one", _text),
    3: ("namespace", "one", _text),
    11: ("labels", "map", _text),
    12: ("annotations", "map", _text),
    13: ("ownerReferences", "many", _message(_OWNER)),
    14: ("finalizers", "many", _text),
}
_REFERENCE: Table = {3: ("name", "one", _text)}
_LOCAL_REFERENCE: Table = {1: ("name", "one", _text)}
_RESOURCE: Table = {
    number: (name, "one", _text)
    for number, name in enumerate(("namespace", "verb", "group", "version", "resource", "subresource", "name"), 1)
}
_NON_RESOURCE: Table = {1: ("path", "one", _text), 2: ("verb", "one", _text)}
_ACCESS: Table = {
    1: ("resourceAttributes", "one", _message(_RESOURCE)),
    2: ("nonResourceAttributes", "one", _message(_NON_RESOURCE)),
}
_KINDS: dict[tuple[str, str], Table] = {
    ("authorization.k8s.io/v1", "SelfSubjectAccessReview"): {2: ("spec", "one", _message(_ACCESS))},
    ("v1", "Namespace"): {},
    ("v1", "ConfigMap"): {2: ("data", "map", _text), 3: ("binaryData", "map", _bytes), 4: ("immutable", "one", bool)},
    ("v1", "Secret"): {
        2: ("data", "map", _bytes),
        3: ("type", "one", _text),
        4: ("stringData", "map", _text),
        5: ("immutable", "one", bool),
    },
    ("v1", "ServiceAccount"): {
        2: ("secrets", "many", _message(_REFERENCE)),
        3: ("imagePullSecrets", "many", _message(_LOCAL_REFERENCE)),
        4: ("automountServiceAccountToken", "one", bool),
    },
}


def decode_protobuf(raw: bytes) -> Json:
    """The object of a request body; raises 400 on a broken message and 415 on a kind that is not known here."""
    if not raw.startswith(_MAGIC):
        raise bad_request("the body is not Kubernetes protobuf: the first bytes are wrong")
    try:
        return _object(raw[len(_MAGIC) :])
    except (IndexError, ValueError, TypeError, AttributeError) as error:
        raise bad_request(f"error decoding the protobuf body: {error}") from None


def _object(raw: bytes) -> Json:
    envelope = dict(_fields(raw))
    identity = dict(_fields(envelope.get(1, b"")))
    version, kind = _text(identity.get(1, b"")), _text(identity.get(2, b""))
    table = _KINDS.get((version, kind))
    if table is None:
        message = f"{kind} in version {version} cannot be read as protobuf here; send application/json"
        raise ApiError(415, "UnsupportedMediaType", message)
    body = _decode(envelope.get(2, b""), table | {1: ("metadata", "one", _message(_METADATA))})
    return {"apiVersion": version, "kind": kind} | body


def _decode(raw: bytes, table: Table) -> Json:
    found: Json = {}
    for number, value in _fields(raw):
        if number not in table:
            continue
        name, shape, read = table[number]
        if shape == "one":
            found[name] = read(value)
        elif shape == "many":
            found.setdefault(name, []).append(read(value))
        else:
            pair = dict(_fields(value))
            found.setdefault(name, {})[_text(pair.get(1, b""))] = read(pair.get(2, b""))
    return {name: value for name, value in found.items() if value != ""}


def _fields(raw: bytes) -> Iterator[tuple[int, Any]]:
    position = 0
    while position < len(raw):
        tag, position = _varint(raw, position)
        match tag & 7:
            case 0:
                value, position = _varint(raw, position)
                yield tag >> 3, value
            case 2:
                length, position = _varint(raw, position)
                if position + length > len(raw):
                    raise ValueError("a field is longer than its message")
                yield tag >> 3, raw[position : position + length]
                position += length
            case 1 | 5 as kind:
                position += 8 if kind == 1 else 4
            case kind:
                raise ValueError(f"wire type {kind} is not used by Kubernetes")


def _varint(raw: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = raw[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position
        if shift > 63:
            raise ValueError("a number is longer than 64 bits")
