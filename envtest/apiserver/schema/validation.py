"""A value is checked against a structural schema; every fault is reported with its field, in the words of Kubernetes.

Covers types, nullable, int-or-string, enum, bounds, lengths, pattern, formats, required, allOf/anyOf/oneOf/not, list-
type set and map (K-03, K-04, E-06). Ratcheting: on update a fault is tolerated where the value is what it was. Rules in
CEL belong to `rules`. Patterns are run by Python's `re`, which knows more than RE2; what RE2 refuses is refused when
the CRD is made.
"""

import datetime as dt
import ipaddress
import math
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from windlass.envtest.apiserver.errors import Fault
from windlass.envtest.apiserver.values import Json, encode, json_type, same

__all__ = ("FORMATS", "ratcheted", "validate")

_ABSENT = object()
# An escape, a class in brackets, or the end: the first two are passed over in search of the third.
_ENDS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\$", re.DOTALL)


def validate(value: Any, schema: Json, path: str = "") -> list[Fault]:
    """All faults of a value; an empty list is approval."""
    if value is None:
        return [] if schema.get("nullable") else _check_type(value, schema, path)
    faults = _check_type(value, schema, path)
    unlisted = _check_enum(value, schema, path)
    if faults:
        return faults + unlisted
    faults += unlisted
    if isinstance(value, str):
        faults += _check_string(value, schema, path)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        faults += _check_number(value, schema, path)
    elif isinstance(value, list):
        faults += _check_list(value, schema, path)
    elif isinstance(value, dict):
        faults += _check_object(value, schema, path)
    return faults + _check_combinations(value, schema, path)


def ratcheted(faults: list[Fault], old: Any, new: Any) -> list[Fault]:
    """The faults of an update that were not there before: those whose value changed (K-03)."""
    return [fault for fault in faults if _changed(fault, old, new)]


def _changed(fault: Fault, old: Any, new: Any) -> bool:
    before, after = _read(old, fault.field), _read(new, fault.field)
    if before is _ABSENT and after is _ABSENT:  # a missing required field: look at what should hold it
        parent = fault.field.rpartition(".")[0]
        before, after = _read(old, parent), _read(new, parent)
    return before is _ABSENT or after is _ABSENT or not same(before, after)


def _read(value: Any, field: str) -> Any:
    for name, index in re.findall(r"([^.\[\]]+)|\[([0-9]+)\]", field):
        if name and isinstance(value, dict) and name in value:
            value = value[name]
        elif index and isinstance(value, list) and int(index) < len(value):
            value = value[int(index)]
        else:
            return _ABSENT
    return value


def _check_type(value: Any, schema: Json, path: str) -> list[Fault]:
    found = json_type(value)
    if schema.get("x-kubernetes-int-or-string"):
        whole = isinstance(value, float) and value.is_integer()
        return [] if found in ("integer", "string") or whole else [Fault.wrong_type(path, found, "integer,string")]
    expected = schema.get("type")
    if not expected or found == expected or (expected == "number" and found == "integer"):
        return []
    if expected == "integer" and isinstance(value, float) and value.is_integer():
        return []
    if expected == "string" and found == "array" and schema.get("format") in FORMATS:
        return []  # go-openapi leaves a text with a format to the check of formats, which looks at no list
    return [Fault.wrong_type(path, found, expected)]


def _check_enum(value: Any, schema: Json, path: str) -> list[Fault]:
    choices = schema.get("enum")
    if not choices or any(same(value, choice) for choice in choices):
        return []
    if isinstance(value, float) and any(choice == value for choice in choices if not isinstance(choice, bool)):
        return []  # 1.0 is 1
    return [Fault.unsupported(path, value, choices)]


def _check_string(value: str, schema: Json, path: str) -> list[Fault]:
    faults = []
    if "maxLength" in schema and len(value) > schema["maxLength"]:
        faults.append(Fault.too_long(path, schema["maxLength"]))
    if "minLength" in schema and len(value) < schema["minLength"]:
        detail = f"{path} in body should be at least {schema['minLength']} chars long"
        faults.append(Fault.invalid(path, value, detail))
    if "pattern" in schema and not _pattern(schema["pattern"]).search(value):
        faults.append(Fault.invalid(path, value, f"{path} in body should match '{schema['pattern']}'"))
    check = FORMATS.get(schema.get("format", ""))
    if check is not None and not check(value):
        faults.append(Fault.invalid(path, value, f'{path} in body must be of type {schema["format"]}: "{value}"'))
    return faults


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    if "(?m" in text or not _ENDS.search(text):
        return re.compile(text)
    # In Go `$` is the end of the text, in Python it may be before a last line break, too.
    return re.compile(_ENDS.sub(lambda found: found.group() if found.group() != "$" else r"\Z", text))


def _check_number(value: float, schema: Json, path: str) -> list[Fault]:
    faults = []
    low, high, step = schema.get("minimum"), schema.get("maximum"), schema.get("multipleOf")
    if low is not None and (value <= low if schema.get("exclusiveMinimum") else value < low):
        relation = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        faults.append(Fault.invalid(path, value, f"{path} in body should be {relation} {low}"))
    if high is not None and (value >= high if schema.get("exclusiveMaximum") else value > high):
        relation = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        faults.append(Fault.invalid(path, value, f"{path} in body should be {relation} {high}"))
    if step and not math.isclose(value / step, round(value / step), abs_tol=1e-9):
        faults.append(Fault.invalid(path, value, f"{path} in body should be a multiple of {step}"))
    return faults


def _check_list(value: list[Any], schema: Json, path: str) -> list[Fault]:
    faults = []
    if "minItems" in schema and len(value) < schema["minItems"]:
        detail = f"{path} in body should have at least {schema['minItems']} items"
        faults.append(Fault.invalid(path, len(value), detail))
    if "maxItems" in schema and len(value) > schema["maxItems"]:
        faults.append(Fault.too_many(path, len(value), schema["maxItems"]))
    items = schema.get("items")
    if isinstance(items, dict):
        for index, item in enumerate(value):
            faults += validate(item, items, f"{path}[{index}]")
    return faults + _check_duplicates(value, schema, path)


def _check_duplicates(value: list[Any], schema: Json, path: str) -> list[Fault]:
    kind = schema.get("x-kubernetes-list-type")
    if kind not in ("set", "map"):
        return []
    keys, defaults = schema.get("x-kubernetes-list-map-keys") or [], (schema.get("items") or {}).get("properties") or {}
    faults, known = [], set()
    for index, item in enumerate(value):
        identity = item
        if kind == "map" and isinstance(item, dict):
            identity = {key: item.get(key, defaults.get(key, {}).get("default")) for key in keys}
        canonical = encode(identity) if not isinstance(identity, dict) else encode(sorted(identity.items()))
        if canonical in known:
            faults.append(Fault.duplicate(f"{path}[{index}]", identity))
        known.add(canonical)
    return faults


def _check_object(value: Json, schema: Json, path: str) -> list[Fault]:
    faults = [_required(key, path) for key in schema.get("required") or [] if key not in value]
    if "minProperties" in schema and len(value) < schema["minProperties"]:
        detail = f"{path} in body should have at least {schema['minProperties']} properties"
        faults.append(Fault.invalid(path, len(value), detail))
    if "maxProperties" in schema and len(value) > schema["maxProperties"]:
        faults.append(Fault.too_many(path, len(value), schema["maxProperties"]))
    properties, additional = schema.get("properties") or {}, schema.get("additionalProperties")
    for key, item in value.items():
        part = properties.get(key, additional)
        if isinstance(part, dict):
            faults += validate(item, part, f"{path}.{key}" if path else key)
    return faults


def _required(key: str, path: str) -> Fault:
    return Fault.required(f"{path}.{key}" if path else key)


def _check_combinations(value: Any, schema: Json, path: str) -> list[Fault]:
    faults: list[Fault] = []
    for part in schema.get("allOf") or []:
        faults += validate(value, part, path)
    if schema.get("anyOf") and not any(not validate(value, part, path) for part in schema["anyOf"]):
        faults += _combination(path, "must validate at least one schema (anyOf)", schema["anyOf"], value)
    if schema.get("oneOf"):
        valid = sum(not validate(value, part, path) for part in schema["oneOf"])
        if valid != 1:
            found = "none valid" if not valid else f"{valid} valid alternatives"
            detail = f"must validate one and only one schema (oneOf). Found {found}"
            faults += _combination(path, detail, schema["oneOf"] if not valid else [], value)
    if schema.get("not") and not validate(value, schema["not"], path):
        faults += _combination(path, "must not validate the schema (not)", [], value)
    return faults


def _combination(path: str, detail: str, branches: list[Json], value: Any) -> list[Fault]:
    """The summary, which names its field in the text alone, and the faults of the branch that came closest."""
    tried = sorted((validate(value, branch, path) for branch in branches), key=len)
    return [Fault.invalid("", "", f'"{path}" {detail}'), *(tried[0] if tried else [])]


def _parses(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def check(value: str) -> bool:
        try:
            parse(value)
        except ValueError:
            return False
        return True

    return check


_is_network = _parses(lambda value: ipaddress.ip_network(value, strict=False))
_is_date = _parses(dt.date.fromisoformat)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)")
_UUID = re.compile(r"[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
_BASE64 = re.compile(r"([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})")
_DURATION = re.compile(r"[+-]?(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+|0")

FORMATS: dict[str, Callable[[str], bool]] = {
    "date-time": lambda value: _TIME.fullmatch(value) is not None and _is_date(value[:10]),
    "date": lambda value: _DATE.fullmatch(value) is not None and _is_date(value),
    "duration": lambda value: _DURATION.fullmatch(value) is not None,
    "uuid": lambda value: _UUID.fullmatch(value) is not None,
    "ipv4": _parses(ipaddress.IPv4Address),
    "ipv6": _parses(ipaddress.IPv6Address),
    "cidr": lambda value: "/" in value and _is_network(value),
    "byte": lambda value: _BASE64.fullmatch(value) is not None,
}
"""Formats that are checked; all others are ignored (S-19)."""
