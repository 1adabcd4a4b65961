"""A structural schema gives an expression the types of what it reads, so that what a schema lacks is found beforehand.

Types are declared to the checker as protobuf messages, one for each object of the schema, for that is what it can
look into: `int` for integers, `timestamp` for date-times, `dyn` for what is an integer or a string, nullable or a list
of lists. Values are shown to expressions without nulls and undeclared fields, with names escaped as in Kubernetes
(L-04). Needs the extra `cel`; pure.
"""

import base64
import re
from typing import Any

from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)

from windlass.envtest.apiserver.schema.durations import parse_duration
from windlass.envtest.apiserver.values import Json

__all__ = ("Declarations", "escaped", "shown", "with_identity")

_WELL_KNOWN = (any_pb2, duration_pb2, struct_pb2, timestamp_pb2, wrappers_pb2)
_RESERVED = frozenset({"true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function"})
_RESERVED |= {"if", "import", "let", "loop", "package", "namespace", "return", "var", "void", "while"}
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_ESCAPES = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
_TEXT: Json = {"type": "string"}
_IDENTITY: Json = {
    "apiVersion": _TEXT,
    "kind": _TEXT,
    "metadata": {"type": "object", "properties": {"name": _TEXT, "generateName": _TEXT}},
}
_PACKAGE = "windlass"
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {"integer": _Field.TYPE_INT64, "number": _Field.TYPE_DOUBLE, "boolean": _Field.TYPE_BOOL}
_NAMES = {"integer": "int", "number": "double", "boolean": "bool"}
_FORMATS = {
    "date-time": ".google.protobuf.Timestamp",
    "date": ".google.protobuf.Timestamp",
    "duration": ".google.protobuf.Duration",
}
_DYN, _STRUCT = ".google.protobuf.Value", ".google.protobuf.Struct"


def escaped(name: str) -> str:
    """A property's name as expressions write it; empty if they cannot."""
    if name in _RESERVED:
        return f"__{name}__"
    text = re.sub(r"__|[./-]", lambda found: _ESCAPES[found[0]], name)
    return text if _IDENTIFIER.match(text) else ""


def with_identity(schema: Json) -> Json:
    """The schema of a whole object: with apiVersion, kind and the names, which every object has."""
    return schema | {"properties": (schema.get("properties") or {}) | _IDENTITY}


def _children(schema: Json) -> Json:
    """What expressions may read of an object."""
    known = with_identity(schema) if schema.get("x-kubernetes-embedded-resource") else schema
    found = ((escaped(name), part) for name, part in (known.get("properties") or {}).items())
    return {name: part for name, part in found if name and _readable(part)}


def _readable(schema: Json) -> bool:
    return bool(schema.get("type") or schema.get("x-kubernetes-int-or-string"))


def _is_map(schema: Json) -> bool:
    return isinstance(schema.get("additionalProperties"), dict)


class Declarations:
    """The types below one schema; `name` is that of its values in a signature, `pool` holds the messages."""

    def __init__(self, schema: Json) -> None:
        self.pool: Any = descriptor_pool.DescriptorPool()
        for module in _WELL_KNOWN:
            known = descriptor_pb2.FileDescriptorProto()
            module.DESCRIPTOR.CopyToProto(known)
            self.pool.Add(known)
        self._file = descriptor_pb2.FileDescriptorProto(name="schema.proto", package=_PACKAGE, syntax="proto2")
        self._file.dependency.extend(module.DESCRIPTOR.name for module in _WELL_KNOWN)
        self.name = self._signature(schema)
        self.pool.Add(self._file)

    def __repr__(self) -> str:
        return f"<Declarations {self.name}>"

    def _signature(self, schema: Json) -> str:
        kind = schema.get("type")
        if schema.get("nullable") or not kind or schema.get("x-kubernetes-int-or-string"):
            return "dyn"
        if kind == "array":
            return f"list<{self._signature(schema['items'])}>"
        if kind == "object":
            if _is_map(schema):
                return f"map<string, {self._signature(schema['additionalProperties'])}>"
            return self._message(schema)
        if kind == "string":
            formatted = _FORMATS.get(schema.get("format", ""), "").removeprefix(".")
            return formatted or ("bytes" if schema.get("format") == "byte" else "string")
        return _NAMES[kind]

    def _message(self, schema: Json) -> str:
        message = self._file.message_type.add(name=f"M{len(self._file.message_type)}")
        for number, (name, part) in enumerate(_children(schema).items(), 1):
            self._field(message, message.field.add(name=name, number=number, json_name=f"f{number}"), part)
        return f"{_PACKAGE}.{message.name}"

    def _field(self, message: Any, field: Any, schema: Json) -> None:
        field.label = _Field.LABEL_OPTIONAL
        whole = not schema.get("nullable") and not schema.get("x-kubernetes-int-or-string")
        if whole and schema.get("type") == "array" and self._single(schema["items"]):
            field.label = _Field.LABEL_REPEATED
            schema = schema["items"]
        elif whole and _is_map(schema):
            self._entries(message, field, schema["additionalProperties"])
            return
        self._typed(field, schema)

    def _typed(self, field: Any, schema: Json) -> None:
        field.type, name = self._type(schema)
        if name:
            field.type_name = name

    def _entries(self, message: Any, field: Any, values: Json) -> None:
        """A map from strings is a repeated message with a name that follows from that of the field."""
        name = "".join(part[:1].upper() + part[1:] for part in field.name.split("_")) + "Entry"
        if not self._single(values) or name in {entry.name for entry in message.nested_type}:
            field.type, field.type_name = _Field.TYPE_MESSAGE, _STRUCT
            return
        entry = message.nested_type.add(name=name)
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, type=_Field.TYPE_STRING, label=_Field.LABEL_OPTIONAL)
        value = entry.field.add(name="value", number=2, label=_Field.LABEL_OPTIONAL)
        self._typed(value, values)
        field.label, field.type = _Field.LABEL_REPEATED, _Field.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{message.name}.{name}"

    @staticmethod
    def _single(schema: Json) -> bool:
        """Whether a value can be an item of a repeated field: lists and maps cannot."""
        return schema.get("type") != "array" and not _is_map(schema)

    def _type(self, schema: Json) -> tuple[int, str]:
        kind, formatted = schema.get("type"), _FORMATS.get(schema.get("format", ""))
        if schema.get("nullable") or schema.get("x-kubernetes-int-or-string") or not kind or kind == "array":
            return _Field.TYPE_MESSAGE, _DYN
        if kind == "object":
            return _Field.TYPE_MESSAGE, _STRUCT if _is_map(schema) else f".{self._message(schema)}"
        if kind == "string" and formatted:
            return _Field.TYPE_MESSAGE, formatted
        if kind == "string":
            return _Field.TYPE_BYTES if schema.get("format") == "byte" else _Field.TYPE_STRING, ""
        return _SCALARS[kind], ""


def shown(value: Any, schema: Json) -> Any:
    """A valid value as an expression sees it."""
    if isinstance(value, dict):
        if _is_map(schema):
            part = schema["additionalProperties"]
            return {name: shown(one, part) for name, one in value.items() if one is not None}
        known = _children(schema)
        pairs = ((escaped(name), one) for name, one in value.items())
        return {name: shown(one, known[name]) for name, one in pairs if name in known and one is not None}
    if isinstance(value, list):
        return [shown(one, schema.get("items") or {}) for one in value]
    if isinstance(value, str) and schema.get("type") == "string":
        return _text(value, schema.get("format", ""))
    if isinstance(value, int) and schema.get("type") == "number":
        return float(value)
    return int(value) if isinstance(value, float) and schema.get("type") == "integer" else value


def _text(value: str, form: str) -> Any:
    if form in ("date-time", "date"):
        moment = timestamp_pb2.Timestamp()
        moment.FromJsonString(value if form == "date-time" else f"{value}T00:00:00Z")
        return moment
    if form == "duration":
        return duration_pb2.Duration(**parse_duration(value))
    return base64.b64decode(value) if form == "byte" else value
