"""Everything that is wrong is said at once: one mistake after the other is no way to find out what a program needs."""

from types import TracebackType

from windlass.controller.errors import ManagerError, ManagerFaults
from windlass.statemachine.errors import WindlassError

__all__ = ("Faults",)


class Faults:
    """What was found to be wrong so far. As a context, it ends the block at an error of ours and keeps that."""

    def __init__(self) -> None:
        self.found: list[WindlassError] = []

    def __enter__(self) -> None:
        """Errors are gathered from here on."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, ManagerFaults):
            self.found.extend(error.faults)
        elif isinstance(error, WindlassError):
            self.found.append(error)
        return isinstance(error, WindlassError)

    def add(self, text: str) -> None:
        """Keep a fault of which there is only a text."""
        self.found.append(ManagerError(text))

    def raise_all(self, what: str) -> None:
        """Raise the one fault there is, or ManagerFaults with the list; return if there is none."""
        if len(self.found) == 1:
            raise self.found[0]
        if self.found:
            raise ManagerFaults(what, self.found)
