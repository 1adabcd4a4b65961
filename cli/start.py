"""Before anything has been begun, Ctrl-C ends the process without a word: there is nothing to put in order.

The program spends its first moments importing, and an import that is interrupted tells of it by a traceback of somebody
else's module. This one imports next to nothing itself.
"""

import contextlib
import gc
import importlib
import signal
from collections.abc import Iterator

__all__ = ("collect_again", "main", "quiet_ctrl_c")


@contextlib.contextmanager
def quiet_ctrl_c() -> Iterator[None]:
    """While entered, SIGINT kills; for the main thread, and while there is nothing to clean up."""
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def collect_again() -> None:
    """All that this command needs has been imported. Does nothing in a process that `main` did not begin.

    What modules define stays for good, so it is not looked through for garbage any more, either.
    """
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def main() -> None:
    """The entry point of the program `windlass`."""
    gc.disable()  # imports leave no garbage worth the time that looking for it takes: a fifth of theirs
    with quiet_ctrl_c():
        program = importlib.import_module("windlass.cli.main")
        ending = importlib.import_module("windlass.cli.ending")
    ending.leave_after(program.main)
