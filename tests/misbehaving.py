"""Models for workers, told by their input what to do: a worker imports this module by its name.

1 crashes, 2 says so and hangs, 3 raises, 4 is killed as the kernel does when memory is short, 5 asks for memory without
end, 6 leaves by sys.exit; everything else is doubled.
"""

import os
import re
import signal
import sys
import time

import attrs
import numpy as np

from windlass.serving.tensors import TensorSpec


@attrs.frozen
class Misbehaving:
    source: object
    name: str = "misbehaving"
    version: str = "1"
    platform: str = "test_test"
    inputs: tuple[TensorSpec, ...] = (TensorSpec("x", "FP64", (-1,)),)
    outputs: tuple[TensorSpec, ...] = (TensorSpec("y", "FP64", (-1,)), TensorSpec("pid", "INT64", (1,)))
    explanations: tuple[TensorSpec, ...] = (TensorSpec("why", "BYTES", (-1,)),)

    def predict(self, inputs, /):
        match int(inputs["x"].max()):
            case 1:
                os.abort()
            case 2:
                print("hanging", flush=True)
                re.match(r"(a+)+$", "a" * 64 + "b")  # never ends, and lets no other thread and no handler run
            case 3:
                raise ZeroDivisionError("three")
            case 4:
                os.kill(os.getpid(), signal.SIGKILL)
            case 5:
                np.ones(1 << 40)
            case 6:
                sys.exit(7)
        inputs["x"] *= 2  # the array is the worker's own
        return {"y": inputs["x"], "pid": np.array([os.getpid()])}

    def explain(self, inputs, /):
        return {"why": np.array([b"because \xff"] * len(inputs["x"]), dtype=object)}


def slow_to_load(source):
    time.sleep(3600)


def broken(source):
    raise RuntimeError("it cannot")


def crashing(source):
    os.abort()
