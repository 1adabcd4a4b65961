"""The functions that Kubernetes adds to CEL, as far as they are cheap to do right; all others stay undeclared.

An expression that uses an undeclared function does not compile, so its definition is refused and no rule passes
without having been judged. Strings, optionals and `format` come with the library. Needs the extra `cel`; pure.
"""

import itertools
import re
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from cel_expr_python import cel

__all__ = ("FUNCTIONS",)

_Type = cel.Type
_SUFFIXES = {
    "": Decimal(1),
    **{suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
    **{suffix: Decimal(10) ** power for suffix, power in (("n", -9), ("u", -6), ("m", -3), ("k", 3), ("M", 6))},
    **{suffix: Decimal(10) ** power for suffix, power in (("G", 9), ("T", 12), ("P", 15), ("E", 18))},
}
_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([KMGTPE]i|[numkMGTPE])?)\Z")
_AMOUNT = "quantity"  # the one key of the map that stands for a quantity in expressions


def _function(name: str, *overloads: tuple[bool, Sequence[Any], Any, Callable[..., Any]]) -> Any:
    """A function with its overloads: whether it is a method, its parameters, its result and what it does."""
    return cel.FunctionDecl(
        name,
        [
            cel.Overload(
                id=f"windlass_{name.replace('.', '_')}_{index}",
                is_member=member,
                parameters=list(parameters),
                return_type=result,
                impl=act,
            )
            for index, (member, parameters, result, act) in enumerate(overloads)
        ],
    )


def _sorted(items: list[Any]) -> bool:
    return all(left <= right for left, right in itertools.pairwise(items))


def _sum(items: list[Any]) -> Any:
    return sum(items) if items else 0


def _extreme(name: str, choose: Callable[[list[Any]], Any]) -> Callable[[list[Any]], Any]:
    def act(items: list[Any]) -> Any:
        if not items:
            raise ValueError(f"{name} called on empty list")
        return choose(items)

    return act


def _find(text: str, pattern: str) -> str:
    found = re.search(pattern, text)
    return found[0] if found else ""


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    found = [one[0] for one in re.finditer(pattern, text)]
    return found if limit < 0 else found[:limit]


def _contains(whole: list[Any], part: list[Any]) -> bool:
    return all(one in whole for one in part)


def _amount(text: str) -> Decimal:
    found = _QUANTITY.match(text)
    if found is None:
        raise ValueError(f"quantities must match the regular expression '{_QUANTITY.pattern}'")
    try:
        return Decimal(found[1] + (found[2] or "")) * _SUFFIXES[found[3] or ""]
    except InvalidOperation as error:
        raise ValueError(f"unable to parse quantity {text!r}") from error


def _is_quantity(text: str) -> bool:
    return _QUANTITY.match(text) is not None


def _boxed(amount: Decimal) -> dict[str, str]:
    return {_AMOUNT: format(amount.normalize(), "f")}


def _value(quantity: dict[str, Any]) -> Decimal:
    return Decimal(quantity[_AMOUNT])


def _compared(left: dict[str, Any], right: dict[str, Any]) -> int:
    one, other = _value(left), _value(right)
    return (one > other) - (one < other)


def _is_whole(quantity: dict[str, Any]) -> bool:
    amount = _value(quantity)
    return amount == amount.to_integral_value() and abs(amount) < 2**63


def _whole(quantity: dict[str, Any]) -> int:
    if not _is_whole(quantity):
        raise ValueError("cannot convert value to integer")
    return int(_value(quantity))


_Q = _Type.Map(_Type.STRING, _Type.STRING)
FUNCTIONS = (
    _function("isSorted", (True, [_Type.LIST], _Type.BOOL, _sorted)),
    _function("sum", (True, [_Type.LIST], _Type.DYN, _sum)),
    _function("min", (True, [_Type.LIST], _Type.DYN, _extreme("min", min))),
    _function("max", (True, [_Type.LIST], _Type.DYN, _extreme("max", max))),
    _function("find", (True, [_Type.STRING, _Type.STRING], _Type.STRING, _find)),
    _function(
        "findAll",
        (True, [_Type.STRING, _Type.STRING], _Type.List(_Type.STRING), _find_all),
        (True, [_Type.STRING, _Type.STRING, _Type.INT], _Type.List(_Type.STRING), _find_all),
    ),
    _function("sets.contains", (False, [_Type.LIST, _Type.LIST], _Type.BOOL, _contains)),
    _function(
        "sets.equivalent",
        (
            False,
            [_Type.LIST, _Type.LIST],
            _Type.BOOL,
            lambda left, right: _contains(left, right) and _contains(right, left),
        ),
    ),
    _function(
        "sets.intersects",
        (False, [_Type.LIST, _Type.LIST], _Type.BOOL, lambda left, right: any(one in right for one in left)),
    ),
    _function("isQuantity", (False, [_Type.STRING], _Type.BOOL, _is_quantity)),
    _function("quantity", (False, [_Type.STRING], _Q, lambda text: _boxed(_amount(text)))),
    _function("compareTo", (True, [_Q, _Q], _Type.INT, _compared)),
    _function("isGreaterThan", (True, [_Q, _Q], _Type.BOOL, lambda left, right: _compared(left, right) > 0)),
    _function("isLessThan", (True, [_Q, _Q], _Type.BOOL, lambda left, right: _compared(left, right) < 0)),
    _function("isInteger", (True, [_Q], _Type.BOOL, _is_whole)),
    _function("asInteger", (True, [_Q], _Type.INT, _whole)),
    _function("asApproximateFloat", (True, [_Q], _Type.DOUBLE, lambda one: float(_value(one)))),
    _function("sign", (True, [_Q], _Type.INT, lambda one: _compared(one, {_AMOUNT: "0"}))),
    _function("add", (True, [_Q, _Q], _Q, lambda left, right: _boxed(_value(left) + _value(right)))),
    _function("sub", (True, [_Q, _Q], _Q, lambda left, right: _boxed(_value(left) - _value(right)))),
)
