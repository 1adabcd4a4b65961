"""An annotation is peeled down to a bare type, its markers, and whether it admits None; nothing is lost on the way.

This module does not know which types or markers are legal.
"""

from collections.abc import Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, NewType, Union, get_args, get_origin

import attrs

__all__ = ("Peeled", "is_union", "peel")


@attrs.frozen
class Peeled:
    """``base`` is neither ``Annotated``, optional, an alias nor a ``NewType``; it may be a union of several types."""

    base: Any
    markers: tuple[object, ...]
    optional: bool


def is_union(annotation: object) -> bool:
    """Whether the annotation is ``A | B`` or ``Union[A, B]``."""
    return get_origin(annotation) in (Union, UnionType)


def peel(annotation: Any) -> Peeled:
    """Take an annotation apart; inner markers come before outer ones."""
    markers: tuple[object, ...] = ()
    optional = False
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *own = get_args(annotation)
            markers = (*own, *markers)
        elif is_union(annotation) and NoneType in get_args(annotation):
            optional = True
            annotation = _union([member for member in get_args(annotation) if member is not NoneType])
        elif isinstance(annotation, NewType):
            annotation = annotation.__supertype__
        elif hasattr(annotation, "__value__") and hasattr(annotation, "__type_params__"):
            annotation = annotation.__value__  # `type X = …` of Python 3.12
        else:
            return Peeled(annotation, markers, optional)


def _union(members: Sequence[Any]) -> Any:
    return members[0] if len(members) == 1 else Union[tuple(members)]  # noqa: UP007 - built at run time
