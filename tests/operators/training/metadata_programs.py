"""Programs that record metadata in processes of their own, to be killed or to compete: NAME ARGUMENTS."""

import os
import signal
import sqlite3
import sys
from pathlib import Path

from trainings import run, training

from windlass.operators.training.metadata.recording import records_of
from windlass.operators.training.metadata.records import Artifact, Batch, Event, Execution
from windlass.operators.training.metadata.store import MetadataStore

REAL_CONNECT = sqlite3.connect


def record_two(path):
    """A whole training, and then a model made of its model."""
    store = MetadataStore(path)
    batch = records_of(training(gate=None))
    store.record(batch)
    tuned, tuning = Artifact("a-tuned", "Model", "tuned"), Execution("e-tuning", "Train", "tuning", "COMPLETE")
    base = Event("e-tuning", batch.artifacts[1].id, "INPUT", "base")
    store.record(Batch((tuned,), (tuning,), events=(base, Event("e-tuning", "a-tuned", "OUTPUT"))))


def dump(path):
    with REAL_CONNECT(path) as db:
        return "\n".join(db.iterdump())


def killed_at(number, path):
    """A child that records and is killed before its statement of that number; False when it had fewer."""
    child = os.fork()
    if child == 0:
        left = [number]

        def traced(_):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

        def connect(*arguments, **more):
            db = REAL_CONNECT(*arguments, **more)
            db.set_trace_callback(traced)
            return db

        sqlite3.connect = connect
        record_two(path)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def whole_batches(path):
    """Whether each batch that is there is there whole."""
    store = MetadataStore(path)
    return (len(store.artifacts(type_="Model")), len(store.events())) in ((0, 0), (1, 5), (2, 7))


def kill_everywhere(folder):
    record_two(folder / "undisturbed.sqlite")
    expected = dump(folder / "undisturbed.sqlite")
    number = 0
    while True:
        path = folder / f"{number}.sqlite"
        if not killed_at(number, path):
            break
        whole = whole_batches(path)
        record_two(path)
        print("same" if whole and dump(path) == expected else f"differs after statement {number}")
        number += 1
    print(number)


def record_many(path, start, count):
    store = MetadataStore(path)
    for number in range(start, start + count):
        store.record(records_of(training(run=run(id=f"run{number}"), uid=f"u-{number}")))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["kill-everywhere", folder]:
            kill_everywhere(Path(folder))
        case ["record-many", path, start, count]:
            record_many(Path(path), int(start), int(count))
