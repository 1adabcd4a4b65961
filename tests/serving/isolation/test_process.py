"""A model in a process of its own: what it does to itself it does to nobody else."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import attrs
import numpy as np
import pytest

from windlass.serving.errors import DeadlineExceeded, ModelError, ModelFailed, NotReady
from windlass.serving.isolation.process import ExplainingProcess, Job, start
from windlass.serving.model import Explainer, Model
from windlass.serving.policy import Isolation
from windlass.serving.runtimes import Source

pytestmark = pytest.mark.realtime

LINEAR = b'{"bias": 1.5, "weight": -0.8}'


def job(content=LINEAR, kind="linear", **policy):
    source = Source("m", "3", Path("model.bin"), content, {"job": "a/b"})
    return Job(source, kind, Isolation(**policy), python=kind == "python")


def misbehaving(what="Misbehaving", **policy):
    return job(b'{"object": "misbehaving:%s"}' % what.encode(), "python", **policy)


@pytest.fixture
def started():
    """Models that are closed at the end, after which no process is left of them."""
    models = []

    def begin(one):
        models.append(start(one))
        return models[-1]

    yield begin
    for model in models:
        pid = model.pid
        model.close()
        if pid is not None:
            wait(lambda pid=pid: not alive(pid))


def alive(pid):
    """Whether it runs; one that nobody has buried yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children():
    return " ".join(path.read_text() for path in Path("/proc/self/task").glob("*/children")).split()


@pytest.fixture(scope="module")
def sound():
    """One that no test ends."""
    model = start(misbehaving(memory_bytes_max=8 << 30))
    yield model
    model.close()


def wait(condition):
    while not condition():
        time.sleep(0.005)


def x(*values):
    return {"x": np.array(values, dtype=np.float64)}


def test_it_is_the_model_that_it_would_be_here(started):
    model = started(job())
    assert isinstance(model, Model)
    assert (model.name, model.version, model.platform) == ("m", "3", "numpy_linear")
    assert model.inputs[0].to_dict() == {"name": "x", "datatype": "FP64", "shape": [-1]}
    assert model.predict(x(2.5, 0.0))["prediction"].tolist() == [-0.5, 1.5]
    assert model.not_ready_because() is None
    assert model.pid != os.getpid()


def test_it_explains_when_the_model_does(sound):
    model = sound
    assert isinstance(model, ExplainingProcess)
    assert isinstance(model, Explainer)
    assert model.explain(x(0, 0))["why"].tolist() == [b"because \xff"] * 2


def test_the_arrays_of_a_request_are_not_the_models_to_change(sound):
    inputs = x(10.0)
    assert sound.predict(inputs)["y"].tolist() == [20.0]
    assert inputs["x"].tolist() == [10.0]


ENDS = {
    1: (ModelFailed, "its process was killed by SIGABRT"),
    2: (DeadlineExceeded, "no answer within 1 s"),
    4: (ModelFailed, r"its process was killed by SIGKILL \(out of memory\?\)"),
    6: (ModelFailed, "its process ended with exit code 7"),
}


def test_an_end_fails_its_execution_and_a_new_process_serves(started):
    """Crash, hang, too little memory, exit: one after the other, each leaves a model that answers."""
    model = started(misbehaving(execution_seconds=1.0, backoff_seconds=0.0))
    seen = {os.getpid()}
    for value, (error, why) in ENDS.items():
        before = int(model.predict(x(0))["pid"][0])
        assert before not in seen
        seen.add(before)
        with pytest.raises(error, match=why):
            model.predict(x(value))
        wait(lambda: model.not_ready_because() is None)
        assert not alive(before)
    assert model.predict(x(0))["pid"][0] not in seen


def test_while_there_is_no_process_it_says_so_and_nobody_waits(started):
    model = started(misbehaving(backoff_seconds=3600.0, backoff_seconds_max=3600.0))
    for _ in range(2):  # the first end is forgiven at once
        wait(lambda: model.not_ready_because() is None)
        with pytest.raises(ModelFailed):
            model.predict(x(6))
    wait(lambda: model.not_ready_because() == "its process ended with exit code 7 and is being replaced")
    with pytest.raises(NotReady, match=r"model 'm': its process ended with exit code 7 and is being replaced"):
        model.predict(x(0))
    assert model.pid is None


def test_what_the_model_raises_is_its_answer(sound):
    model = sound
    pid = model.pid
    with pytest.raises(ModelFailed, match="model 'm' version 3 failed: ZeroDivisionError: three"):
        model.predict(x(3))
    assert model.predict(x(0))["pid"].tolist() == [pid]


def test_what_asks_for_too_much_memory_fails_alone(sound):
    model = sound
    pid = model.pid
    with pytest.raises(ModelFailed, match="MemoryError"):
        model.predict(x(5))
    assert model.pid == pid


def test_executions_take_turns(sound):
    found = []
    threads = [threading.Thread(target=lambda n=n: found.append((n, sound.predict(x(n + 10))))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted((n, outputs["y"].tolist()) for n, outputs in found) == [(n, [2.0 * (n + 10)]) for n in range(8)]


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (job(b"{"), "model.bin: not JSON"),
        (misbehaving("broken"), "RuntimeError: it cannot"),
        (misbehaving("crashing"), "its process was killed by SIGABRT while it loaded the model"),
        (misbehaving("slow_to_load", start_seconds=1.0), "its process did not load it within 1 s"),
        (
            attrs.evolve(misbehaving(), python=False),
            "'python' cannot run in a process of its own; known: linear, onnx",
        ),
    ],
    ids=["bad file", "raises", "crashes", "hangs", "code that is not allowed"],
)
def test_a_model_that_cannot_be_loaded_is_told_and_leaves_no_process(one, why):
    before = children()
    with pytest.raises(ModelError, match=why):
        start(one)
    assert [pid for pid in children() if alive(pid) and pid not in before] == []


PARENT = """
import sys, time
from pathlib import Path
import numpy as np
from windlass.serving.isolation.process import Job, start
from windlass.serving.policy import Isolation
from windlass.serving.runtimes import Source
source = Source("m", "1", Path("m"), b'{"object": "misbehaving:Misbehaving"}')
model = start(Job(source, "python", Isolation(), python=True))
print(model.pid, flush=True)
model.predict({"x": np.array([float(sys.argv[1])])})
time.sleep(3600)
"""


@pytest.mark.parametrize("doing", [0, 2], ids=["nothing", "a computation without end"])
def test_no_worker_outlives_a_parent_that_was_killed(doing):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(doing)], stdout=subprocess.PIPE, text=True, env=environment
    ) as parent:
        pid = int(parent.stdout.readline())
        assert doing == 0 or parent.stdout.readline() == "hanging\n"
        parent.kill()
        wait(lambda: not alive(pid))
