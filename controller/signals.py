"""The first SIGINT or SIGTERM asks for an orderly stop, the second ends the process at once (M10).

Used by `Manager.run` alone: a manager embedded in another program never touches signals, they are that program's.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from windlass.controller.errors import ManagerError

__all__ = ("EXIT_CODE", "stopping_on_signals")

_LOG = logging.getLogger("windlass.controller.manager")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)

EXIT_CODE = 1
"""Of a process ended by the second signal."""


@contextmanager
def stopping_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """While entered, signals call `stop`. Must be entered on the main thread, inside its running loop."""
    loop = asyncio.get_running_loop()
    received = 0

    def on_signal(number: signal.Signals) -> None:
        nonlocal received
        received += 1
        if received > 1:
            _LOG.warning("second signal (%s): ending at once", number.name)
            logging.shutdown()
            os._exit(EXIT_CODE)  # nothing may delay this: no cleanup, no handlers
        _LOG.info("%s: stopping in order; a second signal ends the process at once", number.name)
        stop()

    try:
        for number in _SIGNALS:
            loop.add_signal_handler(number, on_signal, number)
    except (RuntimeError, ValueError) as error:
        raise ManagerError(
            "Manager.run() installs signal handlers and must be called on the main thread; "
            "elsewhere use `async with manager:`"
        ) from error
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
