"""A page shows one object: a function from its key to text, served by the probe server beside the debug page.

Whoever makes a page knows how the object is found and what is worth showing; this module does not.
"""

import re
from collections.abc import Callable
from typing import Final

import attrs

from windlass.controller.errors import ManagerError
from windlass.informers.keys import Key

__all__ = ("Page",)

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_TAKEN: Final = "controllers"  # the debug page itself


def _check_name(_page: object, _field: object, name: str) -> None:
    if not _NAME.fullmatch(name) or name == _TAKEN:
        raise ManagerError(f"Page.name: expected lower-case letters, digits and '-', not {_TAKEN!r}, found {name!r}")


@attrs.frozen
class Page:
    """Served under `/debug/NAME?key=namespace/name`, as `content_type`.

    `show` is called on the loop and must be quick; None is for an object that is not there. Raises ManagerError for a
    name that cannot stand in a path, or is the debug page's own.
    """

    name: str = attrs.field(validator=_check_name)
    content_type: str
    show: Callable[[Key], str | None]
