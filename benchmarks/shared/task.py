"""A task is what every contender is told on its command line, the same words for all.

This module does not know any contender.
"""

import argparse
from dataclasses import dataclass
from typing import Final

__all__ = ("SCENARIOS", "Task", "read_task")

SCENARIOS: Final = ("sync", "reconcile", "noop", "latency", "informers", "relist", "queue", "startup", "serving")


@dataclass(frozen=True)
class Task:
    """What is to be done.

    `sync`: hold `objects` widgets. `reconcile`: give each the phase `value`, by a status patch. `noop`: look at each
    once more when all are held. `latency`: print `ready`, and note how late each of `updates` stamped updates came.
    `informers`: hold the widgets in 200 copies of a selection each. `relist`: hold them, lose the watch, and hold them
    again. `queue`: take `objects` keys through the queue; there is no server. `startup`: start the program.
    `serving`: answer `objects` predictions; there is no server but the contender's own.
    """

    scenario: str
    objects: int
    kubeconfig: str = ""
    value: str = ""
    workers: int = 16
    updates: int = 0
    mode: str = ""


def read_task() -> Task:
    """From the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("scenario", choices=SCENARIOS)
    parser.add_argument("--kubeconfig", default="")
    parser.add_argument("--objects", type=int, required=True)
    parser.add_argument("--value", default="")
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--updates", type=int, default=0)
    parser.add_argument("--mode", default="")
    return Task(**vars(parser.parse_args()))
