"""A folder never outlives the process it was made for, whether that ends well, by an exception or by SIGKILL.

A small process of its own waits for the end of a pipe that only we hold open, and then removes the folder. It does not
know what is in there; whoever writes to the folder has to end with us (`childprocess`).
"""

import subprocess
from pathlib import Path

import attrs

__all__ = ("Undertaker",)

_SECONDS = 5.0
# Whoever wrote there may be dying still, and a folder that is written to cannot be removed.
_SCRIPT = 'cat; for n in 1 2 3 4 5 6 7 8 9 10; do rm -rf "$1" 2>/dev/null && exit; sleep 0.2; done'


@attrs.frozen(eq=False)
class Undertaker:
    """Removes one folder after this process has ended, or on `bury`."""

    folder: Path
    _popen: subprocess.Popen[bytes]

    @classmethod
    def wait_for(cls, folder: Path) -> "Undertaker":
        """Start waiting. A process that was forked from this one without exec delays the end until its own."""
        # The folder is an argument of the script, not a part of it, hence the noqa.
        popen = subprocess.Popen(  # noqa: S603
            ("/bin/sh", "-c", _SCRIPT, "undertaker", str(folder)),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,  # no Ctrl-C from the terminal
        )
        return cls(folder, popen)

    def bury(self) -> None:
        """Remove the folder now, and wait until it is gone."""
        assert self._popen.stdin is not None
        self._popen.stdin.close()
        try:
            self._popen.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
