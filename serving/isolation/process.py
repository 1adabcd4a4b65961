"""A model in a process of its own answers, or says within its time that it cannot; it never takes others with it.

One execution at a time. A worker that ends, however it ends, fails the execution it was at, and is replaced; until its
successor has loaded the model, `not_ready_because` says so. A worker that takes too long is killed. No worker outlives
the process that started it, see `worker.py`.
"""

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping

import attrs

from windlass.serving.errors import DeadlineExceeded, ModelError, ModelFailed, NotReady
from windlass.serving.isolation import wire
from windlass.serving.isolation.restarts import Restarts
from windlass.serving.policy import Isolation
from windlass.serving.runtimes import Source
from windlass.serving.tensors import Array

__all__ = ("ExplainingProcess", "Job", "ModelProcess", "start")

_log = logging.getLogger(__name__)

# How long a worker that was asked to end gets, before it is killed.
_END_SECONDS = 2.0


@attrs.frozen
class Job:
    """What a worker is to load. With `python` it may run code that the model's folder names."""

    source: Source
    format: str
    policy: Isolation
    python: bool = False


@attrs.frozen(eq=False)
class _Worker:
    process: subprocess.Popen[bytes]
    connection: socket.socket
    lifeline: int
    began: float

    def end(self, *, kill: bool = False) -> int:
        """Let it end, which a closed connection tells it, or `kill` it; its exit code."""
        if kill:
            self.process.kill()
        try:
            self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
        return self.reap()

    def reap(self) -> int:
        """Wait for its end, and give back what belongs to it; its exit code."""
        code = self.process.wait()
        self.connection.close()
        os.close(self.lifeline)
        return code


def start(job: Job) -> "ModelProcess":
    """The model, once a worker has loaded it. Synchronous; takes about a second.

    Raises ModelError with the reason when it cannot be loaded.
    """
    worker, loaded = _started(job)
    kind = ExplainingProcess if loaded.explanations else ModelProcess
    return kind(job, worker, loaded)


class ModelProcess:
    """The model that a worker computes. `predict` may be called from several threads; they take turns."""

    def __init__(self, job: Job, worker: _Worker, loaded: wire.Loaded) -> None:
        self.name = job.source.name
        self.version = job.source.version
        self.platform = loaded.platform
        self.inputs = wire.described(loaded.inputs)
        self.outputs = wire.described(loaded.outputs)
        self.explanations = wire.described(loaded.explanations)
        self.restarts = Restarts(job.policy)
        self._job = job
        self._described = loaded
        self._worker: _Worker | None = worker
        self._turn = threading.Lock()
        self._closed = threading.Event()
        self._why = ""
        threading.Thread(target=self._watch, name=f"windlass-worker-{self.name}", daemon=True).start()

    def __repr__(self) -> str:
        worker = self._worker
        state = f"pid={worker.process.pid}" if worker is not None else self._why
        return f"<{type(self).__name__} {self.name} {self.version} {state}>"

    @property
    def pid(self) -> int | None:
        """The worker's process id; None while there is none."""
        worker = self._worker
        return worker.process.pid if worker is not None else None

    def not_ready_because(self) -> str | None:
        """Why it cannot answer just now: its worker is being replaced."""
        return self._why if self._worker is None else None

    def predict(self, inputs: Mapping[str, Array], /) -> Mapping[str, Array]:
        """Have the worker compute.

        Raises ModelFailed for what the model raised, and when the worker ended; DeadlineExceeded when it took too long;
        NotReady while there is none.
        """
        return self._ask(inputs, explain=False)

    def close(self) -> None:
        """End the worker; nothing is started in its place."""
        self._closed.set()
        worker = self._worker
        if worker is not None:
            worker.process.kill()

    def _ask(self, inputs: Mapping[str, Array], *, explain: bool) -> dict[str, Array]:
        with self._turn:
            worker = self._worker
            if worker is None:
                raise NotReady(f"model {self.name!r}: {self._why}")
            seconds = self._job.policy.execution_seconds
            try:
                worker.connection.settimeout(seconds)
                tensors, blobs = wire.pack(inputs, self.inputs)
                wire.send(worker.connection, wire.Predict(tensors, explain), blobs)
                answer, raw = wire.receive(worker.connection)
            except TimeoutError as error:
                self._kill(worker)
                raise DeadlineExceeded(f"model {self.name!r}: no answer within {seconds:g} s") from error
            except (wire.Closed, OSError) as error:
                why = _told(self._end_of(worker))
                raise ModelFailed(f"model {self.name!r} version {self.version}: its process {why}") from error
        if isinstance(answer, wire.Failed):
            raise ModelFailed(f"model {self.name!r} version {self.version} failed: {answer.why}")
        assert isinstance(answer, wire.Predicted)
        return wire.unpack(answer.tensors, raw)

    def _kill(self, worker: _Worker) -> None:
        """It does not answer: what it still says would be taken for the answer to another question."""
        self._why = "its process is being replaced"
        self._worker = None
        worker.process.kill()

    def _end_of(self, worker: _Worker) -> int:
        """The exit code of one that has closed its connection: it ends by itself, as a rule."""
        self._why = "its process is being replaced"
        self._worker = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            return worker.process.wait(_END_SECONDS)
        worker.process.kill()
        return worker.process.wait()

    def _watch(self) -> None:
        worker = self._worker
        while worker is not None:
            worker.process.wait()
            # Whoever reads from the connection learns of the end by itself; its number must not be used again before.
            with self._turn:
                code = worker.reap()
            if self._closed.is_set():
                return
            self.restarts = self.restarts.after(time.monotonic() - worker.began)
            self._why = f"its process {_told(code)} and is being replaced"
            self._worker = None
            _log.error("model %s version %s: %s", self.name, self.version, self._why)
            worker = self._replaced()

    def _replaced(self) -> _Worker | None:
        while not self._closed.wait(self.restarts.delay_seconds):
            try:
                worker, loaded = _started(self._job)
            except ModelError as error:
                self.restarts = self.restarts.after(0.0)
                self._why = f"its process cannot be replaced: {error}"
                _log.error("model %s version %s: %s", self.name, self.version, self._why)
                continue
            if loaded != self._described:
                worker.end(kill=True)
                self._why = "it loads as another model than before"
                return None
            self._worker = worker
            if self._closed.is_set():  # meanwhile: `close` may not have seen this worker
                worker.process.kill()
            _log.warning("model %s version %s: process %s serves", self.name, self.version, worker.process.pid)
            return worker
        return None


class ExplainingProcess(ModelProcess):
    """A model that also explains."""

    def explain(self, inputs: Mapping[str, Array], /) -> Mapping[str, Array]:
        """Have the worker explain. Raises what `predict` raises."""
        return self._ask(inputs, explain=True)


def _started(job: Job) -> tuple[_Worker, wire.Loaded]:
    worker = _spawned()
    source = job.source
    message = wire.Load(
        name=source.name,
        version=source.version,
        path=str(source.path),
        format=job.format,
        metadata=dict(source.metadata),
        python=job.python,
        memory_bytes_max=job.policy.memory_bytes_max,
    )
    try:
        worker.connection.settimeout(job.policy.start_seconds)
        wire.send(worker.connection, message, [source.content])
        answer, _ = wire.receive(worker.connection)
    except TimeoutError as error:
        worker.end(kill=True)
        raise ModelError(f"its process did not load it within {job.policy.start_seconds:g} s") from error
    except (wire.Closed, OSError) as error:
        raise ModelError(f"its process {_told(worker.end())} while it loaded the model") from error
    if not isinstance(answer, wire.Loaded):
        worker.end(kill=True)
        raise ModelError(answer.why if isinstance(answer, wire.Failed) else "its process speaks another language")
    return worker, answer


def _spawned() -> _Worker:
    ours, theirs = socket.socketpair()
    reading, writing = os.pipe()
    try:
        process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
            [sys.executable, "-P", "-m", "windlass.serving.isolation.worker", str(theirs.fileno()), str(reading)],
            pass_fds=(theirs.fileno(), reading),
            stdin=subprocess.DEVNULL,
            # What the parent can import, the worker can.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
        )
    except OSError as error:
        ours.close()
        os.close(writing)
        raise ModelError(f"its process cannot be started: {error.strerror or error}") from error
    finally:
        theirs.close()
        os.close(reading)
    return _Worker(process, ours, writing, time.monotonic())


def _told(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
