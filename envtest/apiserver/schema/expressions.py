"""An expression is compiled twice: against the types of its node, to be refused if it is wrong, and to be evaluated.

The first compilation is where mistakes are told in the words of the language; the second knows no types, so that what
an object lacks is an error and not a zero. Works without the extra `cel` in that `available` says no. Pure.
"""

import re
from functools import cache
from typing import Any

import attrs

from windlass.envtest.apiserver.values import Json

__all__ = ("ABSENT", "Checker", "Expression", "RuleError", "available")

ABSENT = object()  # where there is no old value
# The library knows no way to declare an optional variable or to pass one: it is made from a map that may hold it.
_OPTIONAL = "cel.bind(oldSelf, _previous.?value, ({}))"
_RUNTIME = (
    (re.compile(r'Key not found in map : "?(.*?)"?\Z', re.DOTALL), r"no such key: \1"),
    (re.compile(r"No matching overloads found.*", re.DOTALL), "no such overload"),
    (re.compile(r"Index error: index=(-?\d+).*"), r"index out of bounds: \1"),
    (re.compile(r"divide by zero"), "division by zero"),
)


class RuleError(Exception):
    """An expression is wrong, or its evaluation failed; the message says why."""


@attrs.frozen
class _Language:
    """The library with all that Kubernetes adds to it."""

    cel: Any
    types: Any
    extensions: tuple[Any, ...]
    functions: tuple[Any, ...]


@cache
def _language() -> _Language | None:
    """Imported at the first rule that anybody writes: a fifth of a second that most servers can do without."""
    try:
        from cel_expr_python import cel  # noqa: PLC0415
        from cel_expr_python.ext import ext_bindings, ext_optional, ext_strings  # noqa: PLC0415

        from windlass.envtest.apiserver.schema import celfunctions, celtypes  # noqa: PLC0415
    except ImportError:  # the extra is not installed
        return None
    extensions = (ext_strings.ExtStrings(), ext_optional.ExtOptional(), ext_bindings.ExtBindings())
    return _Language(cel, celtypes, extensions, celfunctions.FUNCTIONS)


def available() -> bool:
    """Whether expressions can be evaluated."""
    return _language() is not None


def _needed() -> _Language:
    language = _language()
    if language is None:
        raise RuleError("windlass[cel] is not installed")
    return language


@attrs.frozen
class Expression:
    """An expression that fits its node; `compares` if it is about oldSelf, `optional` if it does not insist on one."""

    program: Any
    schema: Json
    compares: bool
    optional: bool

    def value(self, current: Any, old: Any) -> Any:
        """The result for a value of the node; raises `RuleError`."""
        cel, celtypes = _needed().cel, _needed().types
        try:
            result = self.program.eval(data=self._data(celtypes, current, old))
        except (RuntimeError, TypeError, ValueError, OverflowError) as error:  # a value that the language has not
            raise RuleError(str(error)) from None
        found = result.plain_value()
        if result.type() == cel.Type.ERROR:
            raise RuleError(_runtime(str(found)))
        return found

    def _data(self, celtypes: Any, current: Any, old: Any) -> Json:
        data = {"self": celtypes.shown(current, self.schema), "oldSelf": None, "_previous": {}}
        if old is not ABSENT:
            data["oldSelf"] = celtypes.shown(old, self.schema)
            data["_previous"] = {"value": data["oldSelf"]}
        return data


class Checker:
    """Compiles the expressions of one node; `root` if it is a whole object."""

    def __init__(self, schema: Json, *, root: bool) -> None:
        celtypes = _needed().types
        self._schema = celtypes.with_identity(schema) if root else schema
        self._types = celtypes.Declarations(self._schema)
        self._type = _needed().cel.Type(self._types.name)

    def __repr__(self) -> str:
        return f"<Checker {self._types.name}>"

    def expression(self, text: str, wanted: str, *, optional: bool = False) -> Expression:
        """Compile; `wanted` is bool or string. Raises `RuleError` in the words of Kubernetes."""
        compares = True
        try:
            found = self._compiled(text, compares=False)
            compares = False
        except RuleError as error:
            if not re.search(r"undeclared reference to 'oldSelf['.]", str(error)):
                raise
            text = _OPTIONAL.format(text) if optional else text
            found = self._compiled(text, compares=True)
        result, types = found.return_type(), _needed().cel.Type
        if result not in ({"bool": types.BOOL, "string": types.STRING}[wanted], types.DYN):
            subject = "cel expression" if wanted == "bool" else "messageExpression"
            raise RuleError(f"{subject} must evaluate to a {wanted}")
        return Expression(_environment().compile(text), self._schema, compares, optional)

    def _compiled(self, text: str, *, compares: bool) -> Any:
        language, types = _needed(), _needed().cel.Type
        variables = {"self": self._type}
        if compares:
            variables |= {"oldSelf": self._type, "_previous": types.Map(types.STRING, self._type)}
        environment = language.cel.NewEnv(
            descriptor_pool=self._types.pool,
            variables=variables,
            extensions=language.extensions,
            functions=language.functions,
        )
        try:
            return environment.compile(text)
        except RuntimeError as error:
            raise RuleError(f"compilation failed: {_compile_time(str(error))}") from None


@cache
def _environment() -> Any:
    """Where expressions are evaluated: everything is dynamic."""
    language = _needed()
    variables = dict.fromkeys(("self", "oldSelf", "_previous"), language.cel.Type.DYN)
    return language.cel.NewEnv(variables=variables, extensions=language.extensions, functions=language.functions)


def _compile_time(text: str) -> str:
    text = text.removeprefix("INVALID_ARGUMENT: ").removesuffix(" [INVALID_ARGUMENT]")
    return re.sub(r" not found in struct '[^']*'", "", text)


def _runtime(text: str) -> str:
    text = re.sub(r"\A[A-Z_]+: ", "", text)
    for pattern, shown in _RUNTIME:
        text = pattern.sub(shown, text)
    return text
