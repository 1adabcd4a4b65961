"""A file that is wrong changes nothing: the routes before it stay in force, and why is told until it is right again.

The file is compared by content, so that a ConfigMap's links and editors that write anew are all the same (W9).
"""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from windlass.serving.errors import RouteError
from windlass.serving.traffic.document import parse_document
from windlass.serving.traffic.traffic import Traffic

__all__ = ("FileSource",)

_BYTES_MAX = 4 * 1024 * 1024

_log = logging.getLogger(__name__)


class FileSource:
    """Routes from a file. `problem` is what is wrong with it now, None when its routes are in force."""

    def __init__(self, path: Path, traffic: Traffic, *, poll_seconds: float = 1.0) -> None:
        self.path = path
        self.problem: str | None = f"{path} was not read yet"
        self.loaded = False
        self._traffic = traffic
        self._poll_seconds = poll_seconds
        self._seen: bytes | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="windlass-routes")

    def __repr__(self) -> str:
        return f"<FileSource {self.path} {self.problem or 'in force'}>"

    async def run(self) -> None:
        """Read now and every `poll_seconds`, until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(self._poll_seconds)

    async def refresh(self) -> None:
        """Read once; new routes are in force when it returns. Nothing is raised: see `problem`."""
        loop = asyncio.get_running_loop()
        try:
            content = await loop.run_in_executor(self._thread, _read, self.path)
        except OSError as error:
            self._seen = None
            self._refused(f"cannot be read: {error.strerror or error}")
            return
        if content == self._seen:
            return
        self._seen = content
        try:
            if len(content) > _BYTES_MAX:
                raise RouteError([f"expected at most {_BYTES_MAX} bytes"])
            routes = await loop.run_in_executor(self._thread, parse_document, content)
            self._traffic.replace(routes)
        except RouteError as error:
            self._refused(str(error))
            return
        self.problem, self.loaded = None, True
        _log.info("%s: %d routes in force", self.path, len(routes.by_name))

    def close(self) -> None:
        """Give up the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _refused(self, why: str) -> None:
        problem = f"{self.path}: {why}"
        if problem != self.problem:
            _log.error("%s; %s", problem, "the routes before it stay in force" if self.loaded else "no routes yet")
        self.problem = problem


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_BYTES_MAX + 1)
