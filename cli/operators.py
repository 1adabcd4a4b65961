"""An operator is a function that is given the manager; whatever is wrong with it is one sentence that names it.

Operators are announced by installed packages or named on the command line. A mistake in one is wrong configuration, for
nothing has been started yet.
"""

import asyncio
import inspect
import logging
from collections.abc import Callable, Iterable
from importlib.metadata import entry_points
from typing import Final, cast

import attrs
import click

from windlass.cli.loading import load_object, told
from windlass.controller import Manager
from windlass.informers import CustomResource
from windlass.statemachine.errors import WindlassError

__all__ = ("GROUP", "Operator", "add_all", "installed", "named")

GROUP: Final = "windlass.operators"
"""The entry point group under which packages announce their operators."""

_LOG = logging.getLogger(__name__)


@attrs.frozen
class Operator:
    """One operator, by the name that the user knows it under."""

    name: str
    setup: Callable[[Manager], object]

    def add_to(self, manager: Manager) -> None:
        """Let it add its controllers. Raises click.UsageError, with the place, for whatever it raises."""
        try:
            result = self.setup(manager)
        except WindlassError as error:
            raise click.UsageError(f"the operator {self.name} cannot be set up: {error}") from error
        except Exception as error:
            _LOG.debug("the operator %s failed", self.name, exc_info=error)
            message = f"the operator {self.name} cannot be set up: {told(error, beside=__file__)}"
            raise click.UsageError(message) from error
        if asyncio.iscoroutine(result):
            result.close()
            raise click.UsageError(
                f"the operator {self.name} is a coroutine function; expected a plain one that takes the manager"
            )


def add_all(manager: Manager, references: Iterable[str], *, built_in: Iterable[Operator] = ()) -> None:
    """Let the operators that are built in, installed, and named by `references` add their controllers, in this order.

    Raises click.BadParameter for a reference that names no operator, click.UsageError for one that cannot be set up or
    imported, and if there is nothing to run after all.
    """
    for operator in (*built_in, *installed(), *(named(reference) for reference in references)):
        operator.add_to(manager)
    if not manager.controllers:
        raise click.UsageError("there is nothing to run: name an --operator, or leave --training on")


def installed() -> list[Operator]:
    """The operators that installed packages announce. Raises click.UsageError for one that cannot be imported."""
    found: list[Operator] = []
    for point in entry_points(group=GROUP):
        try:
            found.append(Operator(f"{point.name!r} ({point.value})", point.load()))
        except Exception as error:
            raise click.UsageError(
                f"the operator {point.name!r} ({point.value}) cannot be imported: {told(error, beside=__file__)}"
            ) from error
    return found


def named(reference: str) -> Operator:
    """The operator that `module:function` names. Raises click.BadParameter if that is no function of one argument."""
    found = load_object(reference, option="--operator")
    if not callable(found):
        raise click.BadParameter(f"{reference} is not a function that takes a manager", param_hint="--operator")
    if isinstance(found, type) and issubclass(found, CustomResource):
        raise click.BadParameter(
            f"{reference} is a kind; expected a function that takes a Manager", param_hint="--operator"
        )
    try:
        inspect.signature(found).bind(None)
    except TypeError as error:
        raise click.BadParameter(
            f"{reference} cannot be called with a manager alone: {error}", param_hint="--operator"
        ) from error
    except ValueError:
        pass  # a built-in function tells nothing of itself
    return Operator(reference, cast("Callable[[Manager], object]", found))
