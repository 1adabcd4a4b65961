"""What a schema expects of a value, in words: the middle of every error about one.

This module does not know values.
"""

from typing import Any, TypeAlias

__all__ = ("JsonSchema", "expected_number", "expected_type")

JsonSchema: TypeAlias = dict[str, Any]
"""One node of a structural OpenAPI v3 schema, as plain JSON."""


def expected_type(schema: JsonSchema) -> str:
    """``a string``, ``an integer from 1 to 10``, ``an integer or a string``."""
    if schema.get("x-kubernetes-int-or-string"):
        return "an integer or a string"
    if schema.get("type") in ("integer", "number"):
        return expected_number(schema)
    return _with_article(schema["type"])


def expected_number(schema: JsonSchema) -> str:
    """``an integer from 1 to 10``, ``a number greater than 0 that is a multiple of 5``."""
    low, high, step = schema.get("minimum"), schema.get("maximum"), schema.get("multipleOf")
    bounds = []
    if low is not None and high is not None and not (schema.get("exclusiveMinimum") or schema.get("exclusiveMaximum")):
        bounds.append(f"from {low} to {high}")
    else:
        if low is not None:
            bounds.append(f"{'greater than' if schema.get('exclusiveMinimum') else 'of at least'} {low}")
        if high is not None:
            bounds.append(f"{'less than' if schema.get('exclusiveMaximum') else 'of at most'} {high}")
    words = [_with_article(schema.get("type", "number")), " and ".join(bounds)]
    if step is not None:
        words.append(f"that is a multiple of {step}")
    return " ".join(word for word in words if word)


def _with_article(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
