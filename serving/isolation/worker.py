"""A worker computes for the process that started it, one request at a time, and does not outlive it.

`python -m windlass.serving.isolation.worker FD LIFELINE` is started by `process.py`: FD is a connected socket, and
LIFELINE the reading end of a pipe whose other end only the parent has. When that end closes, however the parent came to
its end, the kernel kills this process with SIGIO, even in the middle of a computation that never ends.
"""

import contextlib
import fcntl
import os
import resource
import select
import signal
import socket
import sys
from pathlib import Path

from windlass.serving.errors import ModelError
from windlass.serving.isolation import wire
from windlass.serving.model import Explainer, Model
from windlass.serving.runtimes import Source, known_runtimes

__all__ = ("main",)


def main(arguments: list[str]) -> int:
    """Load what the first message says, then answer until the connection closes."""
    for number in arguments:
        os.set_inheritable(int(number), False)
    _tie_to(int(arguments[1]))
    connection = socket.socket(fileno=int(arguments[0]))
    # Ctrl-C in a terminal reaches every process of the group; when to end is for the parent to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(wire.Closed), connection:
        model = _loaded(connection)
        while model is not None:
            _answer(connection, model)
    return 0


def _tie_to(lifeline: int) -> None:
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    # The parent may have ended before the kernel knew whom to tell.
    if select.select([lifeline], [], [], 0)[0]:
        sys.exit(1)


def _loaded(connection: socket.socket) -> Model | None:
    message, blob = wire.receive(connection)
    assert isinstance(message, wire.Load)
    if message.memory_bytes_max is not None:
        resource.setrlimit(resource.RLIMIT_AS, (message.memory_bytes_max, message.memory_bytes_max))
    source = Source(message.name, message.version, Path(message.path), bytes(blob), message.metadata)
    try:
        known = known_runtimes(python=message.python)
        if message.format not in known:
            names = ", ".join(sorted(known))
            raise ModelError(f"format {message.format!r} cannot run in a process of its own; known: {names}")
        model = known[message.format].load(source)
        explanations = model.explanations if isinstance(model, Explainer) else ()
        described = wire.Loaded(
            model.platform, wire.specs(model.inputs), wire.specs(model.outputs), wire.specs(explanations)
        )
    except Exception as error:
        refused = isinstance(error, ModelError)
        why = str(error) if refused else f"{type(error).__name__}: {error}"
        wire.send(connection, wire.Failed(why, refused=refused))
        return None
    wire.send(connection, described)
    return model


def _answer(connection: socket.socket, model: Model) -> None:
    message, blobs = wire.receive(connection)
    assert isinstance(message, wire.Predict)
    try:
        inputs = wire.unpack(message.tensors, blobs)
        if message.explain:
            assert isinstance(model, Explainer)
            tensors, raw = wire.pack(model.explain(inputs), model.explanations)
        else:
            tensors, raw = wire.pack(model.predict(inputs), model.outputs)
    except Exception as error:
        wire.send(connection, wire.Failed(f"{type(error).__name__}: {error}"))
        return
    wire.send(connection, wire.Predicted(tensors), raw)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
