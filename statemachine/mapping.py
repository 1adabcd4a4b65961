"""What a controller knows becomes what the status says by declarations on fields, checked when the module is imported.

    @attrs.frozen
    class Known:
        state: Annotated[str, status("phase")]
        accuracy: Annotated[float | None, status(when=lambda known: known.state == "Done")] = None
        step: Annotated[int, status(deferred=10.0)] = 0

    STATUS = StatusMapping(Known, JobStatus)

The status is a function of what is known: a field whose `when` is false goes back to the status class's default, so
that no old value stays behind. A deferred field changes too often to be worth a write of its own: it goes along with
the next one, or is written when the last is long enough ago. This module does not know how a status is written.
"""

import math
import types
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Generic, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import attrs

from windlass.statemachine.conditions import Condition, Conditions
from windlass.statemachine.errors import InvalidMapping

__all__ = ("Changes", "StatusField", "StatusMapping", "status")

K = TypeVar("K", bound=attrs.AttrsInstance)
S = TypeVar("S", bound=attrs.AttrsInstance)


@attrs.frozen
class StatusField:
    """A declaration; made by `status`."""

    name: str | None = None
    when: Callable[[Any], bool] | None = None
    deferred: float | None = None


def status(
    name: str | None = None, *, when: Callable[[Any], bool] | None = None, deferred: float | None = None
) -> StatusField:
    """The field goes into the status, as the field `name` of the status class or the one of its own name.

    `when` is asked of the whole object. `deferred` is in seconds: a change of this field alone is written only when the
    last write is that long ago.
    """
    return StatusField(name, when, deferred)


@attrs.frozen
class Changes:
    """What to write: names of the status class's fields with their new values, ready for `ctx.status(obj, **fields)`.

    Empty if nothing is to be written now. `due_seconds` is then how long the changes that are held back still wait;
    None if there are none.
    """

    fields: dict[str, Any]
    due_seconds: float | None = None


@attrs.frozen
class _Route:
    source: str
    target: str
    declared: StatusField
    default: Any


@attrs.frozen
class _Held:
    """What the status class has: the types of its fields, and the fields, by name."""

    hints: dict[str, Any]
    fields: dict[str, Any]


class StatusMapping(Generic[K, S]):
    """From a class of what is known to a status class, both attrs classes.

    Raises `InvalidMapping`, which names every declaration that does not fit: an unknown field of the status, one that
    two declarations claim, a type that the status cannot hold, a `when` whose field has no default to go back to, a
    `deferred` that is no finite number above zero, or a class without declarations.
    """

    def __init__(self, known: type[K], status_class: type[S]) -> None:
        self._known, self._status = known, status_class
        routes, problems = _routes(known, status_class)
        if problems:
            raise InvalidMapping(f"{known.__qualname__} cannot be mapped to {status_class.__qualname__}: " + "; ".join(
                problems))  # fmt: skip
        self._routes = routes

    def values(self, known: K) -> dict[str, Any]:
        """Every mapped field of the status, as it is to be."""
        return {
            route.target: _plain(getattr(known, route.source))
            if route.declared.when is None or route.declared.when(known)
            else route.default
            for route in self._routes
        }

    def changes(self, before: S, known: K, *, since_write_seconds: float = float("inf")) -> Changes:
        """The fields in which `before` is not as it is to be: the smallest change after which it is.

        `since_write_seconds` is how long ago the status was last written; the default writes deferred fields at once.
        """
        wanted = self.values(known)
        differing = {name: value for name, value in wanted.items() if getattr(before, name) != value}
        waits = [
            (route.declared.deferred or 0.0) - since_write_seconds
            for route in self._routes
            if route.target in differing
        ]
        if not waits or min(waits) <= 0.0:
            return Changes(differing)
        return Changes({}, due_seconds=min(waits))

    def __repr__(self) -> str:
        fields = ", ".join(f"{route.source} → {route.target}" for route in self._routes)
        return f"<StatusMapping {self._known.__qualname__} → {self._status.__qualname__}: {fields}>"


def _plain(value: object) -> object:
    return tuple(value) if isinstance(value, Conditions) else value


def _routes(known: type[Any], status_class: type[Any]) -> tuple[tuple[_Route, ...], list[str]]:
    for one in (known, status_class):
        if not attrs.has(one):
            return (), [f"{one.__qualname__} is not an attrs class"]
    hints = get_type_hints(known, include_extras=True)
    held = _Held(get_type_hints(status_class), attrs.fields_dict(status_class))
    routes: list[_Route] = []
    problems: list[str] = []
    for field in attrs.fields(known):
        declared = _declaration(hints[field.name])
        if declared is None:
            continue
        target = declared.name or field.name
        found = list(_faults(declared, target, hint=hints[field.name], held=held))
        if target in [route.target for route in routes]:
            found.append(f"the status field {target!r} is claimed twice")
        problems += [f"{field.name}: {problem}" for problem in found]
        routes.append(_Route(field.name, target, declared, _default(held.fields.get(target))))
    if not routes:
        problems.append("no field is declared with status()")
    return tuple(routes), problems


def _declaration(hint: object) -> StatusField | None:
    if get_origin(hint) is not Annotated:
        return None
    return next((one for one in get_args(hint)[1:] if isinstance(one, StatusField)), None)


def _faults(declared: StatusField, target: str, *, hint: object, held: _Held) -> Iterator[str]:
    if target not in held.fields:
        yield f"the status has no field {target!r}; it has {', '.join(map(repr, held.fields))}"
        return
    if not _fits(get_args(hint)[0], held.hints[target]):
        yield f"the status field {target!r} holds {_shown(held.hints[target])}, found {_shown(get_args(hint)[0])}"
    if declared.when is not None and held.fields[target].default is attrs.NOTHING:
        yield f"when: the status field {target!r} has no default to go back to"
    if declared.deferred is not None and not 0 < declared.deferred < math.inf:
        yield f"deferred: expected a finite number of seconds above 0, found {declared.deferred!r}"


def _fits(source: object, target: object) -> bool:
    """Whether every value of the one type is a value of the other, as far as annotations tell."""
    if source == target or target is Any or (source is Conditions and target == tuple[Condition, ...]):
        return True
    if get_origin(source) in (Union, types.UnionType):
        return all(_fits(one, target) for one in get_args(source))
    if get_origin(target) in (Union, types.UnionType):
        return any(_fits(source, one) for one in get_args(target))
    if get_origin(source) is Literal:
        allowed = get_args(target) if get_origin(target) is Literal else None
        return all(one in allowed if allowed is not None else type(one) is target for one in get_args(source))
    return isinstance(source, type) and isinstance(target, type) and issubclass(source, target) and source is not bool


def _default(field: Any) -> Any:
    if field is None or field.default is attrs.NOTHING:
        return None
    return field.default.factory() if isinstance(field.default, attrs.Factory) else field.default  # type: ignore[arg-type]


def _shown(hint: object) -> str:
    return hint.__name__ if isinstance(hint, type) and get_origin(hint) is None else str(hint).replace("typing.", "")
