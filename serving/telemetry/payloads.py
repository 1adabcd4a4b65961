"""What requests carried is written down without holding any of them up: what does not fit into the queue is dropped.

The queue is bounded in entries and in bytes, a thread of its own empties it into a file of JSON lines, and the file is
turned over at a size. Tensors whose names are listed are described and never written; every other one is cut at a
number of elements. The file is readable by its owner alone.
"""

import logging
import logging.handlers
import math
import os
import queue
import random
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import msgspec
from prometheus_client import CollectorRegistry, Counter

from windlass.serving.batching.batches import size_bytes
from windlass.serving.errors import EndpointError
from windlass.serving.telemetry.call import Call
from windlass.serving.tensors import DATATYPES, Array

__all__ = ("Entry", "PayloadLog", "PayloadOptions", "rendered")

_END_SECONDS = 5.0

_log = logging.getLogger(__name__)


@attrs.frozen
class PayloadOptions:
    """Where and how much.

    `fraction`, from 0 to 1, is the share of requests; `redact` are names of tensors that are never written;
    `elements_max` cuts each tensor. A file holds up to `file_bytes_max` bytes, `files_max` former ones are kept.
    `waiting_max` entries of `waiting_bytes_max` bytes may wait to be written.

    Raises EndpointError naming the field that cannot be meant.
    """

    file: Path
    fraction: float = 1.0
    redact: tuple[str, ...] = ()
    elements_max: int = 1000
    file_bytes_max: int = 64 * 1024 * 1024
    files_max: int = 5
    waiting_max: int = 1000
    waiting_bytes_max: int = 64 * 1024 * 1024

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.fraction <= 1:
            raise EndpointError(f"payloads.fraction: expected a number from 0 to 1, found {self.fraction}")
        for name in ("elements_max", "file_bytes_max", "files_max", "waiting_max", "waiting_bytes_max"):
            if getattr(self, name) < 1:
                raise EndpointError(f"payloads.{name}: expected at least 1, found {getattr(self, name)}")


@attrs.frozen(eq=False)
class Entry:
    """One request, as it waits to be written."""

    time: datetime
    protocol: str
    status: int | str
    call: Call
    size: int


class PayloadLog:
    """The log. `start` opens the file and `stop` writes what waits and closes it.

    Raises EndpointError naming a file that cannot be written, at the start.
    """

    def __init__(
        self, options: PayloadOptions, registry: CollectorRegistry, *, rng: random.Random | None = None
    ) -> None:
        self.options = options
        self._rng = rng if rng is not None else random.Random()  # noqa: S311  (nothing depends on its being unknown)
        self._waiting: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        # Two numbers, each changed by one thread alone, so that neither needs a lock.
        self._put = self._put_bytes = 0
        self._done = self._done_bytes = 0
        self._thread: threading.Thread | None = None
        self._outcomes = Counter(
            "windlass_serving_payloads",
            "Requests chosen for the payload log: written, dropped because too much waited, or failed to be written.",
            ("outcome",),
            registry=registry,
        )
        self._written, self._dropped, self._failed = map(self._outcomes.labels, ("written", "dropped", "failed"))

    def __repr__(self) -> str:
        return f"<PayloadLog {self.options.file} waiting={self._put - self._done}>"

    def wants(self) -> bool:
        """Whether to keep what a request carries; asked once for each."""
        return self._rng.random() < self.options.fraction

    def start(self) -> None:
        """Open the file and begin to write."""
        options = self.options
        try:
            handler = _File(
                options.file, maxBytes=options.file_bytes_max, backupCount=options.files_max, encoding="utf-8"
            )
        except OSError as error:
            raise EndpointError(
                f"the payload log {options.file} cannot be written: {error.strerror or error}"
            ) from error
        self._thread = threading.Thread(
            target=self._run, args=(handler,), name="windlass-serving-payloads", daemon=True
        )
        self._thread.start()

    def put(self, call: Call, *, protocol: str, status: int | str) -> None:
        """Hand over a request that has ended; never waits."""
        size = sum(size_bytes(tensors) for tensors in (call.inputs, call.outputs) if tensors is not None)
        options = self.options
        if (
            self._thread is None
            or self._put - self._done >= options.waiting_max
            or self._put_bytes - self._done_bytes + size > options.waiting_bytes_max
        ):
            self._dropped.inc()
            return
        self._put += 1
        self._put_bytes += size
        self._waiting.put(Entry(datetime.now(UTC), protocol, status, call, size))

    def stop(self) -> None:
        """Write what waits, for some seconds at most, and close the file."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join(_END_SECONDS)
            self._thread = None

    def _run(self, handler: "_File") -> None:
        complained = False
        while (entry := self._waiting.get()) is not None:
            try:
                handler.write(rendered(entry, self.options))
            except Exception:
                self._failed.inc()
                if not complained:
                    _log.exception("the payload log %s cannot be written; said once", self.options.file)
                complained = True
            else:
                complained = False
                self._written.inc()
            self._done += 1
            self._done_bytes += entry.size
        handler.close()


class _File(logging.handlers.RotatingFileHandler):
    """The handler of the standard library, which knows how to turn files over; errors are raised, not printed."""

    def write(self, text: str) -> None:
        """Write a line, into a new file if somebody has moved the old one away."""
        record = logging.makeLogRecord({"msg": text})
        self._reopen_if_moved()
        if self.shouldRollover(record):
            self.doRollover()
        logging.FileHandler.emit(self, record)

    def _reopen_if_moved(self) -> None:
        stream = self.stream
        if stream is None:
            return
        try:
            moved = not os.path.samestat(os.stat(self.baseFilename), os.fstat(stream.fileno()))
        except FileNotFoundError:
            moved = True
        if moved:
            stream.close()
            self.stream = self._open()

    def handleError(self, _: logging.LogRecord) -> None:  # noqa: N802  (the name of the base class)
        """Called inside of an except block, whose error goes on from here."""
        raise  # noqa: PLE0704

    def _open(self) -> Any:
        return open(
            self.baseFilename, self.mode, encoding=self.encoding, opener=lambda path, flags: os.open(path, flags, 0o600)
        )


def rendered(entry: Entry, options: PayloadOptions) -> str:
    """The entry as a line."""
    call = entry.call
    found = {
        "time": entry.time.isoformat(timespec="milliseconds"),
        "protocol": entry.protocol,
        "status": entry.status,
        "model": call.model,
        "version": call.version,
        "caller": call.caller,
        "trace_id": call.trace_id,
        "inputs": _tensors(call.inputs, options),
        "outputs": _tensors(call.outputs, options),
    }
    return msgspec.json.encode({key: value for key, value in found.items() if value is not None}).decode()


def _tensors(tensors: Mapping[str, Array] | None, options: PayloadOptions) -> dict[str, object] | None:
    return None if tensors is None else {name: _tensor(name, array, options) for name, array in tensors.items()}


def _tensor(name: str, array: Array, options: PayloadOptions) -> dict[str, object]:
    described: dict[str, object] = {"datatype": _DATATYPES.get(array.dtype, str(array.dtype)), "shape": array.shape}
    if name in options.redact:
        return described | {"redacted": True}
    values = array.ravel()[: options.elements_max].tolist()
    described["data"] = [_plain(value) for value in values]
    return described | {"cut": True} if array.size > options.elements_max else described


_DATATYPES = {dtype: name for name, dtype in DATATYPES.items()}


def _plain(value: Any) -> object:
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if isinstance(value, bool | int | str):
        return value
    number = float(value)
    # JSON has no word for these; null would look like an absence.
    return number if math.isfinite(number) else str(number)
