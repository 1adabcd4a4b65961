"""Once all is said the process ends at once: threads of native libraries must not outlive what they stand on.

A model that is being loaded when a command gives up is loaded by a thread that nothing waits for; taking the
interpreter down under it ends in the C++ runtime's abort, after the one clear line and with another exit code.
"""

import atexit
import contextlib
import os
import sys
from collections.abc import Callable

__all__ = ("leave_after",)


def leave_after(program: Callable[[], None]) -> None:
    """Run the program, what was registered to be done at exit, and nothing more. A traceback goes the usual way."""
    code: object = 0
    try:
        program()
    except SystemExit as end:
        code = end.code
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)
