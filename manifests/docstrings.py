"""The words for people that stand in the source: below a class, and below each of its fields.

Python keeps the first and drops the second, which are read from the source again. Where there is none, as for a class
that a program made, there are no words.

This module does not know schemas.
"""

import ast
import functools
import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping

__all__ = ("class_docstring", "field_docstrings")


def class_docstring(cls: type) -> str:
    """The docstring of the class itself, "" if it has none."""
    # Not `inspect.getdoc`, which would pass on the words of a base class.
    text = vars(cls).get("__doc__")
    return inspect.cleandoc(text) if isinstance(text, str) else ""


def field_docstrings(cls: type) -> Mapping[str, str]:
    """Attribute → the text below its annotation; those of base classes too, unless the class has its own."""
    return {name: text for base in reversed(cls.__mro__) for name, text in _own(base).items()}


def _own(cls: type) -> Mapping[str, str]:
    return _of_module(cls.__module__).get(cls.__qualname__, {})


@functools.cache
def _of_module(name: str) -> Mapping[str, Mapping[str, str]]:
    """Qualified name of a class → the words below its fields. A module is read once, however many classes it has."""
    module = sys.modules.get(name)
    if module is None or name == "builtins":
        return {}
    try:
        tree = ast.parse(inspect.getsource(module))
    except (OSError, TypeError, SyntaxError, ValueError):
        return {}
    return dict(_classes(tree.body, ""))


def _classes(body: Iterable[ast.stmt], prefix: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    for statement in body:
        if isinstance(statement, ast.ClassDef):
            yield f"{prefix}{statement.name}", _words(statement)
            yield from _classes(statement.body, f"{prefix}{statement.name}.")
        elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _classes(statement.body, f"{prefix}{statement.name}.<locals>.")


def _words(tree: ast.ClassDef) -> Mapping[str, str]:
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
