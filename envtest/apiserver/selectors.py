"""A selector is parsed once into a predicate over labels or fields; matching never fails.

Label grammar (L-07): `k=v`, `k==v`, `k!=v`, `k in (a,b)`, `k notin (a,b)`, `k`, `!k`, `k>1`, `k<1`. As in Kubernetes,
`!=` and `notin` also match an object that lacks the key. Field grammar: `k=v`, `k==v`, `k!=v`, joined by commas, with
backslash escapes. Which fields exist is the caller's knowledge (L-08).
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from windlass.envtest.apiserver.errors import ApiError, Fault, bad_request
from windlass.envtest.apiserver.values import json_type

__all__ = (
    "FieldRequirement",
    "LabelRequirement",
    "matches_labels",
    "parse_fields",
    "parse_labels",
    "selector_faults",
    "selector_of",
)

_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_KEY = re.compile(rf"(?:[a-z0-9](?:[-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_NAME}\Z")
_VALUE = re.compile(rf"(?:{_NAME})?\Z")
_TOKEN = re.compile(r"\s*(?:(?P<symbol>==|!=|=|!|\(|\)|,|<|>)|(?P<word>[^\s=!(),<>]+))")

_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "absent"}


@attrs.frozen
class LabelRequirement:
    """One clause; `operator` is one of in, notin, exists, absent, gt, lt."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels satisfy the clause."""
        value = labels.get(self.key)
        match self.operator:
            case "exists":
                return value is not None
            case "absent":
                return value is None
            case "in":
                return value in self.values
            case "notin":
                return value is None or value not in self.values
        return value is not None and self._compare(value)

    def _compare(self, value: str) -> bool:
        try:
            found, bound = int(value), int(next(iter(self.values)))
        except ValueError:
            return False
        return found > bound if self.operator == "gt" else found < bound

    def __str__(self) -> str:
        listed = ",".join(sorted(self.values))
        match self.operator:
            case "exists":
                return self.key
            case "absent":
                return f"!{self.key}"
            case "gt" | "lt":
                return f"{self.key}{'>' if self.operator == 'gt' else '<'}{listed}"
        return f"{self.key} {self.operator} ({listed})"


@attrs.frozen
class FieldRequirement:
    """One clause over a field's text."""

    field: str
    value: str
    negated: bool = False

    def matches(self, read: Callable[[str], str]) -> bool:
        """`read` gives the text of a field of the object, empty if absent."""
        return (read(self.field) == self.value) is not self.negated


def matches_labels(requirements: tuple[LabelRequirement, ...], labels: Mapping[str, str]) -> bool:
    """Whether all clauses hold; no clauses hold for everything."""
    return all(requirement.matches(labels) for requirement in requirements)


def selector_of(selector: Mapping[str, Any] | None) -> tuple[LabelRequirement, ...]:
    """The clauses of a LabelSelector object that is known to be sound; none or an empty one selects everything."""
    found = dict(selector or {})
    labels, expressions = found.get("matchLabels") or {}, found.get("matchExpressions") or []
    clauses = [LabelRequirement(key, "in", frozenset({value})) for key, value in labels.items()]
    clauses += [
        LabelRequirement(one["key"], _OPERATORS[one["operator"]], frozenset(one.get("values") or ()))
        for one in expressions
    ]
    return tuple(clauses)


def selector_faults(selector: Any, path: str) -> list[Fault]:
    """What is wrong with a LabelSelector object."""
    if selector is None:
        return []
    if not isinstance(selector, dict):
        return [Fault.wrong_type(path, json_type(selector), "object")]
    faults = []
    labels = selector.get("matchLabels") or {}
    for key, value in labels.items() if isinstance(labels, dict) else ():
        if not _KEY.match(key) or not isinstance(value, str) or not _VALUE.match(value):
            faults.append(Fault.invalid(f"{path}.matchLabels", key, "must be a label key with a label value"))
    for index, one in enumerate(selector.get("matchExpressions") or []):
        place = f"{path}.matchExpressions[{index}]"
        operator, values = (one.get("operator"), one.get("values") or []) if isinstance(one, dict) else (None, [])
        if operator not in _OPERATORS:
            faults.append(Fault.invalid(f"{place}.operator", operator, "not a valid selector operator"))
            continue
        if not isinstance(one.get("key"), str) or not _KEY.match(one["key"]):
            faults.append(Fault.invalid(f"{place}.key", one.get("key"), "must be a label key"))
        if operator in ("In", "NotIn") and not values:
            detail = "must be specified when `operator` is 'In' or 'NotIn'"
            faults.append(Fault.required(f"{place}.values", detail))
        if operator in ("Exists", "DoesNotExist") and values:
            detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            faults.append(Fault.forbidden(f"{place}.values", detail))
    return faults


def parse_labels(text: str) -> tuple[LabelRequirement, ...]:
    """Parse a labelSelector; raises a 400 `ApiError` on malformed text."""
    return _LabelParser(text).parse() if text.strip() else ()


class _LabelParser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[str] = []
        position, text = 0, text.rstrip()
        while position < len(text):
            found = _TOKEN.match(text, position)
            if found is None:  # pragma: no cover - the token pattern covers every character
                raise self.error(f"unexpected {text[position]!r}")
            self.tokens.append(found["symbol"] or found["word"])
            position = found.end()
        self.position = 0

    def error(self, detail: str) -> ApiError:
        return bad_request(f"unable to parse requirement: {detail} in {self.text!r}")

    def peek(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def next(self) -> str:
        token = self.peek()
        self.position += 1
        return token

    def parse(self) -> tuple[LabelRequirement, ...]:
        found = [self.requirement()]
        while self.peek():
            if self.next() != ",":
                raise self.error("found '" + self.tokens[self.position - 1] + "', expected: ',' or 'end of string'")
            found.append(self.requirement())
        return tuple(found)

    def requirement(self) -> LabelRequirement:
        negated = self.peek() == "!"
        if negated:
            self.next()
        key = self.next()
        if not _KEY.match(key):
            raise self.error(f"found '{key}', expected: a label key")
        if negated:
            return LabelRequirement(key, "absent")
        operator = self.peek()
        if operator in ("", ","):
            return LabelRequirement(key, "exists")
        self.next()
        match operator:
            case "=" | "==":
                return LabelRequirement(key, "in", frozenset({self.value()}))
            case "!=":
                return LabelRequirement(key, "notin", frozenset({self.value()}))
            case "in" | "notin":
                return LabelRequirement(key, operator, self.values())
            case ">" | "<":
                return LabelRequirement(key, "gt" if operator == ">" else "lt", frozenset({self.integer()}))
        raise self.error(f"found '{operator}', expected: in, notin, =, ==, !=, gt, lt")

    def value(self) -> str:
        if self.peek() in ("", ",", ")"):
            return ""
        value = self.next()
        if not _VALUE.match(value):
            raise self.error(f"found '{value}', expected: a label value")
        return value

    def integer(self) -> str:
        value = self.next()
        if not re.match(r"[+-]?[0-9]+\Z", value):
            raise self.error(f"found '{value}', expected: an integer")
        return value

    def values(self) -> frozenset[str]:
        if self.next() != "(":
            raise self.error("expected: '('")
        found = {self.value()}
        while (symbol := self.next()) == ",":
            found.add(self.value())
        if symbol != ")":
            raise self.error(f"found '{symbol}', expected: ',' or ')'")
        return frozenset(found)


def parse_fields(text: str) -> tuple[FieldRequirement, ...]:
    """Parse a fieldSelector; raises a 400 `ApiError` on malformed text."""
    return tuple(_field_term(term, text) for term in _split_escaped(text) if term)


def _split_escaped(text: str) -> list[str]:
    terms, current, escaped = [], "", False
    for character in text:
        if character == "," and not escaped:
            terms.append(current)
            current = ""
            continue
        escaped = character == "\\" and not escaped
        current += character
    return [*terms, current]


def _field_term(term: str, text: str) -> FieldRequirement:
    for operator in ("!=", "==", "="):
        field, found, value = term.partition(operator)
        if found and "=" not in field:
            return FieldRequirement(field.strip(), re.sub(r"\\([\\,=])", r"\1", value.strip()), operator == "!=")
    raise bad_request(f"invalid selector: '{text}'; can't understand '{term}'")
