"""Ensembles in a repository and behind an endpoint."""

import asyncio
import json
import threading

import aiohttp
import numpy as np
import pytest

from windlass.serving import (
    Batching,
    CallableModel,
    Endpoint,
    EndpointOptions,
    Limits,
    ModelRepository,
    Policy,
    TensorSpec,
)
from windlass.serving.errors import ModelFailed, NotReady

pytestmark = pytest.mark.realtime

X = TensorSpec("x", "FP64", (-1,))
Y = TensorSpec("y", "FP64", (-1,))


def graph(*steps, source):
    x, y = ({"name": spec.name, "datatype": "FP64", "shape": [-1]} for spec in (X, Y))
    written = [
        {"name": name, "model": model, "inputs": inputs} | ({"version": version[0]} if version else {})
        for name, model, inputs, *version in steps
    ]
    return json.dumps({"inputs": [x], "outputs": [{**y, "from": source}], "steps": written}).encode()


DIAMOND = graph(
    ("left", "double", {"x": "x"}),
    ("right", "add", {"x": "x"}),
    ("both", "sum", {"a": "left.y", "b": "right.y"}),
    source="both.y",
)


def model(function, *inputs):
    return CallableModel(function, tuple(inputs) or (X,), (Y,))


def repository(root, **functions):
    made = ModelRepository(root, poll_seconds=3600)
    functions = {"double": lambda x: 2 * x, "add": lambda x: x + 100, **functions}
    for name, function in functions.items():
        made.add(name, model(function))
    made.add("sum", model(lambda a, b: a + b, TensorSpec("a", "FP64", (-1,)), TensorSpec("b", "FP64", (-1,))))
    return made


def threaded(made, name, **changes):
    loaded = made.get(name)
    for field, value in {"inline_elements": -1, **changes}.items():
        object.__setattr__(loaded, field, value)


async def infer(session, value, path="/v2/models/e/infer", **headers):
    body = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [value]}]}
    async with session.post(path, json=body, headers=headers) as response:
        content = await response.json()
        return response.status, content["outputs"][0]["data"] if response.status == 200 else content["error"]


async def test_it_answers_what_its_models_together_come_to(tmp_path, publish):
    publish(tmp_path, "e", 1, DIAMOND, format="ensemble")
    made = repository(tmp_path)
    await made.refresh()
    async with Endpoint(made, port=0) as endpoint, aiohttp.ClientSession(endpoint.url) as session:
        assert await infer(session, 1.0) == (200, [103.0])
        async with session.get("/v2/models/e") as response:
            content = await response.json()
    assert (content["platform"], content["inputs"]) == ("windlass_ensemble", [X.to_dict()])


async def test_branches_run_at_the_same_time(tmp_path, publish):
    """Each waits until the other has begun."""
    meeting = threading.Barrier(2, timeout=30)

    def met(x):
        if x.any():
            meeting.wait()
        return x

    publish(tmp_path, "e", 1, DIAMOND, format="ensemble")
    made = repository(tmp_path, double=met, add=met)
    for name in ("double", "add"):
        threaded(made, name)
    await made.refresh()
    async with Endpoint(made, port=0) as endpoint, aiohttp.ClientSession(endpoint.url) as session:
        assert await infer(session, 1.0) == (200, [2.0])


async def test_there_is_one_deadline_for_all_of_it(tmp_path, publish):
    gate = threading.Event()
    publish(tmp_path, "e", 1, DIAMOND, format="ensemble")
    made = repository(tmp_path, double=lambda x: gate.wait(30) * x if x.any() else x)
    threaded(made, "double")
    await made.refresh()
    async with Endpoint(made, port=0) as endpoint, aiohttp.ClientSession(endpoint.url) as session:
        status, why = await infer(session, 1.0, **{"X-Request-Timeout-Ms": "100"})
        gate.set()
    assert (status, why) == (504, "model 'double': no answer within the time given")


async def test_the_error_of_a_step_is_the_requests_error(tmp_path, publish):
    publish(tmp_path, "e", 1, DIAMOND, format="ensemble")
    made = repository(tmp_path, add=lambda x: x if not x.any() else 1 // 0)
    await made.refresh()
    async with Endpoint(made, port=0) as endpoint, aiohttp.ClientSession(endpoint.url) as session:
        assert await infer(session, 1.0) == (
            500, "model 'add' version 1 failed: ZeroDivisionError: integer division or modulo by zero"
        )  # fmt: skip


async def test_members_are_batched_across_the_requests_of_an_ensemble(tmp_path, publish):
    rows = []
    publish(tmp_path, "e", 1, graph(("a", "batched", {"x": "x"}), source="a.y"), format="ensemble")
    made = repository(tmp_path)
    policy = Policy(Limits(), Batching(rows_max=4, delay_seconds=20, always=True))
    made.add("batched", model(lambda x: (rows.append(len(x)), x * 3)[1]), policy=policy)
    await made.refresh()
    rows.clear()
    async with Endpoint(made, port=0) as endpoint, aiohttp.ClientSession(endpoint.url) as session:
        answers = await asyncio.gather(*(infer(session, float(n)) for n in range(4)))
    assert (answers, rows) == ([(200, [3.0 * n]) for n in range(4)], [4])


async def test_it_waits_for_models_that_come_later_or_sort_after_it(tmp_path, publish):
    publish(tmp_path, "e", 1, graph(("a", "zz", {"x": "x"}), source="a.prediction"), format="ensemble")
    made = ModelRepository(tmp_path)
    await made.refresh()
    assert made.index()[0].reason == "model.bin: step 'a': there is no model 'zz'"
    publish(tmp_path, "zz", 1)
    await made.refresh()
    assert [entry.state for entry in made.index()] == ["READY", "READY"]


async def test_a_version_that_is_named_is_the_one_that_is_asked(tmp_path, publish):
    for version in (1, 2):
        publish(tmp_path, "m", version, b'{"bias": %d, "weight": 0}' % version)
    (tmp_path / "m" / "serving.json").write_text('{"versions": "all"}')
    publish(tmp_path, "e", 1, graph(("a", "m", {"x": "x"}, "1"), source="a.prediction"), format="ensemble")
    publish(tmp_path, "f", 1, graph(("a", "m", {"x": "x"}), source="a.prediction"), format="ensemble")
    made = ModelRepository(tmp_path)
    await made.refresh()
    for name, expected in (("e", 1.0), ("f", 2.0)):
        assert made.get(name).model.predict({"x": np.zeros(1)})["y"].tolist() == [expected]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (graph(("a", "sum", {"a": "x"}), source="a.y"), "nothing is given for input 'b' of model 'sum'"),
        (graph(("a", "e", {"x": "x"}), source="a.y"), "step 'a': model 'e' asks 'e' itself"),
    ],
    ids=["mismatch", "itself"],
)
async def test_a_graph_that_does_not_fit_its_models_does_not_serve(tmp_path, publish, content, why):
    publish(tmp_path, "e", 1, content, format="ensemble")
    made = repository(tmp_path)
    await made.refresh()
    assert why in made.index()[-1].reason + made.index()[2].reason
    with pytest.raises(NotReady):
        made.get("e")


async def test_a_circle_through_a_new_version_is_refused(tmp_path, publish):
    publish(tmp_path, "a", 1, graph(("s", "double", {"x": "x"}), source="s.y"), format="ensemble")
    publish(tmp_path, "b", 1, graph(("s", "a", {"x": "x"}), source="s.y"), format="ensemble")
    made = repository(tmp_path)
    await made.refresh()
    publish(tmp_path, "a", 2, graph(("s", "b", {"x": "x"}), source="s.y"), format="ensemble")
    await made.refresh()
    assert made.get("a").version == "1"
    assert "step 's': model 'b' asks 'a' itself" in next(entry.reason for entry in made.index() if entry.version == "2")


async def test_two_that_wait_for_each_other_say_so_and_no_more_with_each_attempt(tmp_path, publish):
    publish(tmp_path, "a", 1, graph(("s", "b", {"x": "x"}), source="s.y"), format="ensemble")
    publish(tmp_path, "b", 1, graph(("s", "a", {"x": "x"}), source="s.y"), format="ensemble")
    made = repository(tmp_path)
    for _ in range(5):
        await made.refresh()
    reasons = {entry.name: entry.reason for entry in made.index() if entry.name in "ab"}
    assert reasons["a"].endswith(": step 's': model 'b' is not ready")
    assert reasons["b"].endswith(": step 's': model 'a' is not ready")
    assert max(map(len, reasons.values())) < 80


async def test_unload_takes_those_that_depend_on_it_when_it_is_asked_to(tmp_path, publish):
    publish(tmp_path, "m", 1)
    publish(tmp_path, "e", 1, graph(("a", "m", {"x": "x"}), source="a.prediction"), format="ensemble")
    publish(tmp_path, "f", 1, graph(("a", "e", {"x": "x"}), source="a.y"), format="ensemble")
    made = ModelRepository(tmp_path, poll_seconds=3600)
    await made.refresh()
    options = EndpointOptions(repository_control=True)
    async with Endpoint(made, port=0, options=options) as endpoint, aiohttp.ClientSession(endpoint.url) as session:
        await made.unload("m")
        status, why = await infer(session, 1.0)
        assert (status, why) == (503, "model 'e' version 1: step 'a': model 'm' cannot answer")
        for name in ("e", "f"):  # f asks e
            async with session.get(f"/v2/models/{name}/ready") as response:
                assert response.status == 503
        await made.load("m")
        assert (await infer(session, 1.0))[0] == 200
        body = {"parameters": {"unload_dependents": True}}
        async with session.post("/v2/repository/models/m/unload", json=body) as response:
            assert response.status == 200
        assert made.models() == []


async def test_a_member_that_changed_its_looks_is_an_error_of_the_ensemble(tmp_path, publish):
    publish(tmp_path, "e", 1, DIAMOND, format="ensemble")
    made = repository(tmp_path)
    await made.refresh()
    made.add("double", CallableModel(lambda x: x, (TensorSpec("x", "FP32", (-1,)),), (Y,)))
    with pytest.raises(ModelFailed, match="step 'left', input 'x': 'x' is float64, expected FP32"):
        made.get("e").model.predict({"x": np.zeros(1)})
