"""A rule (`x-kubernetes-validations`) is judged at every value of its node, or its definition has been refused.

A schema becomes a tree of the nodes that have rules; each rule was checked against the types of its node when the
definition came (L-01, L-03). Rules about `oldSelf` are judged where there is an old value to compare with: the same
property, map key, or item of a keyed list. Others are not judged again where nothing changed (K-03, K-05).
Estimated costs are not computed. Pure; what the language itself is belongs to `expressions`.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from windlass.envtest.apiserver.errors import Fault
from windlass.envtest.apiserver.schema.expressions import ABSENT, Checker, Expression, RuleError, available
from windlass.envtest.apiserver.values import Json, encode, same

__all__ = ("UNEVALUATED", "Rules", "rule_faults", "unevaluated")

KEYWORD = "x-kubernetes-validations"
UNEVALUATED = f"the rules ({KEYWORD}) of this definition are stored and not evaluated: windlass[cel] is not installed"
REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
BLOCKING = frozenset(
    {
        "FieldValueNotSupported",
        "FieldValueRequired",
        "FieldValueTooLong",
        "FieldValueTooMany",
        "FieldValueTypeInvalid",
    }
)
UNCHECKED = Fault.invalid(
    "",
    None,
    "some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation",
)
_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_-]*)|\['([^']+)'\]")


@attrs.frozen
class _Rule:
    """One rule of one node."""

    text: str
    expression: Expression
    message: str
    told: Expression | None  # messageExpression
    reason: str
    below: str  # fieldPath, as it is put behind the path of the node


@attrs.frozen
class _Node:
    schema: Json
    rules: tuple[_Rule, ...]
    properties: dict[str, "_Node"]
    items: "_Node | None"
    values: "_Node | None"  # of a map


@attrs.frozen(eq=False)
class Rules:
    """The rules of one version of a kind."""

    root: _Node

    @classmethod
    def of(cls, schema: Json) -> "Rules | None":
        """The rules of a schema that has been checked; None if it has none, or if they cannot be evaluated."""
        if KEYWORD.encode() not in encode(schema) or not available():
            return None
        root = _node(schema, root=True)
        return cls(root) if root is not None else None

    def faults(self, obj: Json, old: Json | None, others: list[Fault]) -> list[Fault]:
        """What the rules object to in a valid object; `others` are the faults already found."""
        if any(fault.reason in BLOCKING for fault in others):
            return [UNCHECKED]
        return list(_visit(self.root, obj, ABSENT if old is None else old, ""))


def _node(schema: Json, *, root: bool = False) -> _Node | None:
    raw = schema.get(KEYWORD) or []
    checker = Checker(schema, root=root) if raw else None
    rules = tuple(_rule(one, checker) for one in raw) if checker is not None else ()
    parts = {name: _node(part) for name, part in (schema.get("properties") or {}).items() if isinstance(part, dict)}
    properties = {name: part for name, part in parts.items() if part is not None}
    below = (schema.get(keyword) for keyword in ("items", "additionalProperties"))
    items, values = (_node(part) if isinstance(part, dict) else None for part in below)
    if not rules and not properties and items is None and values is None:
        return None
    return _Node(schema, rules, properties, items, values)


def _rule(raw: Json, checker: Checker) -> _Rule:
    optional = bool(raw.get("optionalOldSelf"))
    told = str(raw.get("messageExpression") or "")
    return _Rule(
        raw["rule"].strip(),
        checker.expression(raw["rule"], "bool", optional=optional),
        str(raw.get("message") or "").strip(),
        checker.expression(told, "string", optional=optional) if told else None,
        str(raw.get("reason") or "FieldValueInvalid"),
        str(raw.get("fieldPath") or "").strip(),
    )


def _visit(node: _Node, value: Any, old: Any, path: str) -> Iterator[Fault]:
    if value is None:
        return
    old = ABSENT if old is None else old
    unchanged = bool(node.rules) and old is not ABSENT and same(value, old)
    for rule in node.rules:
        if (old is not ABSENT or rule.expression.optional) if rule.expression.compares else not unchanged:
            yield from _judged(rule, node, value, old, path=path)
    if isinstance(value, dict):
        before = old if isinstance(old, dict) else {}
        granular = node.schema.get("x-kubernetes-map-type") != "atomic"
        for name, part in value.items():
            below = node.properties.get(name, node.values)
            if below is not None:
                place = f"{path}.{name}" if path else name
                if name not in node.properties:
                    place = f"{path}[{name}]"
                yield from _visit(below, part, before.get(name, ABSENT) if granular else ABSENT, place)
    elif isinstance(value, list) and node.items is not None:
        counterpart = _counterparts(node.schema, old)
        for index, part in enumerate(value):
            yield from _visit(node.items, part, counterpart(part), f"{path}[{index}]")


def _counterparts(schema: Json, old: Any) -> Callable[[Any], Any]:
    """Finds the old item with the same keys."""
    keys = schema.get("x-kubernetes-list-map-keys") if schema.get("x-kubernetes-list-type") == "map" else None
    if not keys or not isinstance(old, list):
        return lambda _: ABSENT

    def identity(item: Any) -> bytes:
        return encode([item.get(key) for key in keys]) if isinstance(item, dict) else b""

    known = {identity(item): item for item in old}
    return lambda item: known.get(identity(item), ABSENT)


def _judged(rule: _Rule, node: _Node, value: Any, old: Any, *, path: str) -> Iterator[Fault]:
    kind, about = str(node.schema.get("type") or "integer or string"), rule.message or rule.text
    try:
        if rule.expression.value(value, old) is True:
            return
    except RuleError as error:
        if str(error).startswith("no such overload"):
            detail = (
                f"'{error}': call arguments did not match a supported operator, function or macro signature for "
                f"rule: {about}"
            )
        else:
            detail = f"{error} evaluating rule: {about}"
        yield Fault.invalid(path, kind, detail)
        return
    place = f"{path}{rule.below}".removeprefix(".")
    detail = _told(rule, value, old) or rule.message or f"failed rule: {rule.text}"
    match rule.reason:
        case "FieldValueForbidden":
            yield Fault.forbidden(place, detail)
        case "FieldValueRequired":
            yield Fault.required(place, detail)
        case "FieldValueDuplicate":
            yield Fault.duplicate(place, kind)
        case _:
            yield Fault.invalid(place, kind, detail)


def _told(rule: _Rule, value: Any, old: Any) -> str:
    """The result of the messageExpression, if it is of use."""
    if rule.told is None:
        return ""
    try:
        text = str(rule.told.value(value, old)).strip()
    except RuleError:
        return ""
    return "" if "\n" in text else text


def unevaluated(schema: Any) -> bool:
    """Whether something has rules that nobody will evaluate."""
    return KEYWORD.encode() in encode(schema) and not available()


def rule_faults(schema: Json, path: str) -> list[Fault]:
    """What is wrong with the rules of a structural schema; `path` is where it stands in the definition.

    Without the extra no expression is compiled.
    """
    if KEYWORD.encode() not in encode(schema):
        return []
    return list(_schema_faults(schema, path, root=True, correlates=True))


def _schema_faults(schema: Json, path: str, *, root: bool, correlates: bool) -> Iterator[Fault]:
    raw = schema.get(KEYWORD) or []
    if not isinstance(raw, list) or not all(isinstance(one, dict) for one in raw):
        yield Fault.wrong_type(f"{path}.{KEYWORD}", "string", "array")
        return
    checker = Checker(schema, root=root) if raw and available() else None
    for index, one in enumerate(raw):
        yield from _rule_faults(one, checker, schema, f"{path}.{KEYWORD}[{index}]", correlates=correlates)
    for keyword in ("allOf", "anyOf", "oneOf", "not"):
        if KEYWORD.encode() in encode(schema.get(keyword)):
            yield Fault.forbidden(f"{path}.{keyword}", f"{KEYWORD} are evaluated outside of it only")
    granular = schema.get("x-kubernetes-map-type") != "atomic"
    for name, part in (schema.get("properties") or {}).items():
        yield from _schema_faults(part, f"{path}.properties[{name}]", root=False, correlates=correlates and granular)
    keyed = schema.get("x-kubernetes-list-type") == "map"
    for keyword, follows in (("items", keyed), ("additionalProperties", granular)):
        if isinstance(schema.get(keyword), dict):
            below = f"{path}.{keyword}"
            yield from _schema_faults(schema[keyword], below, root=False, correlates=correlates and follows)


def _rule_faults(raw: Json, checker: Checker | None, schema: Json, path: str, *, correlates: bool) -> Iterator[Fault]:
    """L-01, and what the compiler says."""
    for field in ("rule", "message", "messageExpression", "reason", "fieldPath"):
        if not isinstance(raw.get(field, ""), str | None):
            yield Fault.wrong_type(f"{path}.{field}", "object", "string")
            return
    text, message = (raw.get("rule") or "").strip(), raw.get("message")
    if not text:
        yield Fault.required(f"{path}.rule", "rule is not specified")
        return
    if message is not None and message and not message.strip():
        yield Fault.invalid(f"{path}.message", message, "message must be non-empty if specified")
    if message and "\n" in message.strip():
        yield Fault.invalid(f"{path}.message", message, "message must not contain line breaks")
    if not message and "\n" in text:
        yield Fault.required(f"{path}.message", "message must be specified if rule contains line breaks")
    told = raw.get("messageExpression") or ""
    if told and not told.strip():
        yield Fault.required(f"{path}.messageExpression", "messageExpression must be non-empty if specified")
    if raw.get("reason") and raw["reason"] not in REASONS:
        yield Fault.unsupported(f"{path}.reason", raw["reason"], REASONS)
    if raw.get("fieldPath"):
        yield from _path_faults(raw["fieldPath"], schema, f"{path}.fieldPath")
    for field, wanted, source in (("rule", "bool", text), ("messageExpression", "string", told.strip())):
        if checker is not None and source:
            yield from _expression_faults(raw, checker, (f"{path}.{field}", wanted, source), correlates=correlates)


def _expression_faults(
    raw: Json, checker: Checker, about: tuple[str, str, str], *, correlates: bool
) -> Iterator[Fault]:
    place, wanted, source = about
    try:
        expression = checker.expression(source, wanted, optional=bool(raw.get("optionalOldSelf")))
    except RuleError as error:
        yield Fault.invalid(place, raw, str(error))
        return
    if expression.compares and not correlates:
        detail = "oldSelf cannot be used on the uncorrelatable portion of the schema"
        yield Fault.invalid(place, raw.get("rule"), detail)
    if raw.get("optionalOldSelf") and wanted == "bool" and not expression.compares:
        detail = "may not be set if oldSelf is not used in rule"
        yield Fault.invalid(place.replace(".rule", ".optionalOldSelf"), value=True, detail=detail)


def _path_faults(text: str, schema: Json, place: str) -> Iterator[Fault]:
    steps, rest, here = text.strip(), text.strip(), schema
    if not steps:
        yield Fault.invalid(place, text, "fieldPath must be non-empty if specified")
        return
    while rest:
        found = _STEP.match(rest)
        part = _below(here, found[1] or found[2]) if found else None
        if found is None or part is None:
            detail = "fieldPath must be a valid path: it must refer to an existing field, without numeric indexes"
            yield Fault.invalid(place, text, detail)
            return
        rest, here = rest[found.end() :], part


def _below(schema: Json, name: str) -> Json | None:
    part = (schema.get("properties") or {}).get(name, schema.get("additionalProperties"))
    return part if isinstance(part, dict) else None
