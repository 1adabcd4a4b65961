"""Rules in CEL are the server's to run; here they are well formed, and such as a server would take (L-01 to L-04).

This module does not know fields or classes.
"""

from collections.abc import Mapping
from typing import Any, Final

import attrs

from windlass.manifests.marker import Marker

__all__ = ("Immutable", "Rule", "cel_name")

_CEL_WORDS: Final = frozenset(
    (
        *("true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import"),
        *("let", "loop", "package", "namespace", "return", "var", "void", "while"),
    )
)
_REASONS: Final = ("FieldValueInvalid", "FieldValueForbidden", "FieldValueRequired", "FieldValueDuplicate")


@attrs.frozen(kw_only=True)
class Rule(Marker):
    """A CEL rule that is true of every valid value; ``self`` is the value, ``oldSelf`` the one it replaces (L-01)."""

    rule: str = attrs.field(kw_only=False)
    message: str = ""
    message_expression: str = ""
    reason: str = ""
    field_path: str = ""
    optional_old_self: bool = False

    def _keywords(self) -> Mapping[str, Any]:
        stated = {
            "rule": self.rule,
            "message": self.message,
            "messageExpression": self.message_expression,
            "reason": self.reason,
            "fieldPath": self.field_path,
            "optionalOldSelf": self.optional_old_self,
        }
        return {"x-kubernetes-validations": [{name: value for name, value in stated.items() if value}]}

    def _fault(self) -> str | None:
        if not self.rule.strip():
            return "a rule that is not blank (L-01)"
        if _many_lines(self.message) or _many_lines(self.field_path):
            return "a message and a field path of one line (L-01)"
        if any(text and not text.strip() for text in (self.message, self.message_expression, self.field_path)):
            return "a message, message expression and field path that are absent or not blank (L-01)"
        if _many_lines(self.rule) and not self.message:
            return "a message, because the rule has several lines (L-01)"
        if self.reason and self.reason not in _REASONS:
            return f"a reason out of {', '.join(_REASONS)} (L-01)"
        return None

    def clash(self, node: Mapping[str, Any]) -> str | None:
        """The field path leads to a field."""
        for name in filter(None, self.field_path.split(".")):
            fields = node.get("properties", {})
            if name not in fields:
                known = ", ".join(f".{each}" for each in sorted(fields)) or "none, as there are no fields"
                return f"a field path that begins with one of {known} (L-01)"
            node = fields[name]
        return None


@attrs.frozen
class Immutable(Marker):
    """The value cannot change once it is set, and a field that may be absent cannot be removed; it may be set later."""

    def _keywords(self) -> Mapping[str, Any]:
        return Rule("self == oldSelf", message="the field is immutable")._keywords()

    @staticmethod
    def kept(name: str) -> Rule:
        """The rule of the object around it, since a field that is gone has no rule of its own."""
        field = cel_name(name)
        return Rule(f"!has(oldSelf.{field}) || has(self.{field})", message=f"{name} cannot be removed once it is set")


def cel_name(name: str) -> str:
    """A field's name as CEL spells it: words of CEL and characters that it has no place for are escaped (L-04)."""
    if name in _CEL_WORDS:
        return f"__{name}__"
    for found, escape in (("__", "underscores"), (".", "dot"), ("-", "dash"), ("/", "slash")):
        name = name.replace(found, f"\0{escape}\0")
    return name.replace("\0", "__")


def _many_lines(text: str) -> bool:
    return "\n" in text or "\r" in text
