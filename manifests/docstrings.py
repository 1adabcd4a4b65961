"""The words for people that stand in the source: below a class, and below each of its fields.

Python keeps the first and drops the second, which are read from the source again. Where there is none, as for a class
that a program made, there are no words.

This module does not know schemas.
"""

import ast
import functools
import inspect
import textwrap
from collections.abc import Mapping

__all__ = ("class_docstring", "field_docstrings")


def class_docstring(cls: type) -> str:
    """The docstring of the class itself, "" if it has none."""
    # Not `inspect.getdoc`, which would pass on the words of a base class.
    text = vars(cls).get("__doc__")
    return inspect.cleandoc(text) if isinstance(text, str) else ""


def field_docstrings(cls: type) -> Mapping[str, str]:
    """Attribute → the text below its annotation; those of base classes too, unless the class has its own."""
    return {name: text for base in reversed(cls.__mro__) for name, text in _own(base).items()}


@functools.cache
def _own(cls: type) -> Mapping[str, str]:
    if cls.__module__ == "builtins":
        return {}
    try:
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    except (OSError, TypeError, SyntaxError, ValueError):
        return {}
    if not isinstance(tree, ast.ClassDef) or tree.name != cls.__name__:
        return {}
    found = {}
    for field, below in zip(tree.body, tree.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
            and isinstance(below.value.value, str)
        ):
            found[field.target.id] = inspect.cleandoc(below.value.value)
    return found
