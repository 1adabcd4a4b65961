"""Programs of others that tests run as processes: their absence skips a test, or fails it where all of them must be."""

import os
import shutil
from pathlib import Path

from servers import absent

__all__ = ("chromium", "peer_program")

_PEERS = Path(__file__).parent.parent / ".venv" / "peers" / "bin"
_BROWSERS = ("chromium-headless-shell", "chromium")


def peer_program(name: str) -> str:
    """A program of the environment that has what `peers.txt` lists."""
    program = _PEERS / name
    if not os.access(program, os.X_OK):
        absent(name, "make .venv/peers/.installed")
    return str(program)


def chromium() -> str:
    """Debian's Chromium, which needs no display."""
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    return found or absent("Chromium", ".ci/chromium")
