"""Routes over real sockets: every protocol, which arm answered, what is counted, what changes while requests run."""

import asyncio
import contextlib
import threading

import aiohttp
import grpc
import numpy as np
import pytest

from windlass.serving import (
    Batching,
    Endpoint,
    EndpointOptions,
    Limits,
    LinearModel,
    ModelRepository,
    Policy,
    RepositoryOptions,
    TensorSpec,
)
from windlass.serving.errors import EndpointError
from windlass.serving.experiments.decision import Verdict
from windlass.serving.grpc import SERVICE
from windlass.serving.grpc.messages import message
from windlass.serving.traffic import Arm, Experiment, Guardrail, Match, Route, Routes, Shadow, TrafficOptions

pytestmark = pytest.mark.realtime

X = {"name": "x", "datatype": "FP64", "shape": [1], "data": [2.5]}
BODY = {"inputs": [X]}
HEADER = "X-Model-Variant"


def route(weight=50, name="m", **changes):
    return Route(name, (Arm("a", "one", weight=100 - weight), Arm("b", "two", weight=weight)), **changes)


def models(**others):
    """Models `one` and `two` of 2.5, which answer -0.5 and 0.5."""
    repository = ModelRepository()
    repository.add("one", LinearModel())
    repository.add("two", LinearModel(bias=2.5))
    for name, model in others.items():
        repository.add(name, model)
    return repository


@contextlib.asynccontextmanager
async def serving(*routes, repository=None, plain="m", **options):
    """The endpoint and a client."""
    traffic = TrafficOptions(Routes.of(*routes), **options)
    options = EndpointOptions(traffic=traffic, grpc_port=0, plain_model=plain)
    endpoint = Endpoint(repository or models(), port=0, options=options)
    async with endpoint, aiohttp.ClientSession(endpoint.url) as session:
        yield endpoint, session


def value(endpoint, name, **labels):
    return endpoint.metrics.registry.get_sample_value(f"windlass_serving_{name}", labels) or 0.0


async def becomes(question, wanted):
    async with asyncio.timeout(30):
        while question() != wanted:  # noqa: ASYNC110  (a thread causes it)
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("path", "body", "answers"),
    [
        pytest.param("/v2/models/m/infer", BODY, [-0.5, 0.5], id="v2"),
        pytest.param("/v1/models/m:predict", {"instances": [2.5]}, [-0.5, 0.5], id="v1"),
        pytest.param("/predict", {"x": 2.5}, [-0.5, 0.5], id="plain"),
    ],
)
async def test_over_http_a_key_keeps_its_arm_and_the_answer_says_which(path, body, answers):
    """T6, T8, H5."""
    async with serving(route()) as (endpoint, session):
        found = {}
        for _ in range(2):
            for key in map(str, range(12)):
                async with session.post(path, json=body, headers={"X-Experiment-Key": key}) as response:
                    assert response.status == 200
                    content = await response.json()
                    answer = content.get("prediction") or content.get("predictions") or content["outputs"][0]["data"]
                    answer = answer[0] if isinstance(answer, list) else answer
                    arm = response.headers[HEADER]
                    assert answer == answers[arm == "b"]
                    assert found.setdefault(key, arm) == arm
                    if "parameters" in content or path.startswith("/v2"):
                        assert content["parameters"] == {"variant": arm}
                        assert (content["model_name"], content["model_version"]) == (["one", "two"][arm == "b"], "1")
        assert set(found.values()) == {"a", "b"}
        for arm in "ab":
            count = 2 * list(found.values()).count(arm)
            assert value(endpoint, "arm_requests_total", route="m", arm=arm, code="200") == count
            assert value(endpoint, "arm_assigned_total", route="m", arm=arm, how="key") == count
            assert value(endpoint, "arm_duration_seconds_count", route="m", arm=arm) == count


async def test_over_grpc_the_key_is_metadata_and_the_answer_says_which_arm():
    """T6, T8."""
    request = message("ModelInferRequest")(model_name="m")
    tensor = request.inputs.add(name="x", datatype="FP64", shape=[1])
    tensor.contents.fp64_contents.append(2.5)
    async with serving(route()) as (endpoint, session), grpc.aio.insecure_channel(endpoint.grpc_address) as channel:
        ask = channel.unary_unary(
            f"/{SERVICE}/ModelInfer",
            request_serializer=lambda one: one.SerializeToString(),
            response_deserializer=message("ModelInferResponse").FromString,
        )
        for key in map(str, range(12)):
            call = ask(request, metadata=(("x-experiment-key", key), ("data-bin", b"\xff")))
            response = await call
            (arm,) = [found for name, found in await call.trailing_metadata() if name == HEADER.lower()]
            assert response.parameters["variant"].string_param == arm
            assert list(response.outputs[0].contents.fp64_contents) == [0.5 if arm == "b" else -0.5]
            async with session.post("/v2/models/m/infer", json=BODY, headers={"X-Experiment-Key": key}) as http:
                assert http.headers[HEADER] == arm


async def test_an_error_says_whose_it_is():
    """T8: of an arm that fails, and of a request that is wrong."""

    class Broken(LinearModel):
        def predict(self, inputs, /):
            if inputs["x"].any():
                raise ValueError("broken")
            return super().predict(inputs)

    async with serving(route(100), repository=models(two=Broken())) as (endpoint, session):
        for path, body, status in (("/predict", {"x": 1}, 500), ("/v2/models/m/infer", {"inputs": []}, 400)):
            async with session.post(path, json=body) as response:
                assert (response.status, response.headers[HEADER]) == (status, "b")
        async with session.post("/v2/models/none/infer", json=BODY) as response:
            assert HEADER not in response.headers
        request = message("ModelInferRequest")(model_name="m")
        async with grpc.aio.insecure_channel(endpoint.grpc_address) as channel:
            ask = channel.unary_unary(f"/{SERVICE}/ModelInfer", request_serializer=lambda one: one.SerializeToString())
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await ask(request)
        assert (HEADER.lower(), "b") in list(caught.value.trailing_metadata())


async def test_what_is_no_route_says_nothing_of_arms():
    """T8: a path with a version goes to the model itself, also under a route's name."""
    async with serving(route(name="one")) as (_, session):
        for path in ("/v2/models/two/infer", "/v2/models/one/versions/1/infer"):
            async with session.post(path, json=BODY) as response:
                assert response.status == 200
                assert HEADER not in response.headers
                assert "parameters" not in await response.json()


async def test_a_route_is_described_and_ready_as_its_stable_arm_is():
    async with serving(route()) as (_, session):
        for path in ("/v2/models/m", "/v2/models/m/ready", "/v1/models/m"):
            async with session.get(path) as response:
                assert (response.status, (await response.json())["name"]) == (200, "one")


async def test_the_share_of_an_arm_that_is_not_loaded_falls_back_and_is_counted():
    """T1: never an error."""
    repository = ModelRepository()
    repository.add("one", LinearModel())
    async with serving(route(99), repository=repository) as (endpoint, session):
        arms = []
        for key in range(20):
            async with session.post("/predict", json={"x": 2.5}, headers={"X-Experiment-Key": str(key)}) as response:
                arms.append((response.status, response.headers[HEADER]))
        assert set(arms) == {(200, "a")}
        assert value(endpoint, "arm_fallback_total", route="m", arm="b") >= 18


async def test_without_any_arm_it_is_a_503_that_names_each_reason():
    repository = ModelRepository()
    repository.add("other", LinearModel())
    async with serving(route(), repository=repository) as (_, session):
        for method, path in (("POST", "/v2/models/m/infer"), ("GET", "/v2/models/m")):
            async with session.request(method, path, json=BODY if method == "POST" else None) as response:
                assert (response.status, response.headers["Retry-After"]) == (503, "1")
                why = (await response.json())["error"]
        assert why == "no arm of route 'm' is ready: a: there is no model 'one'; b: there is no model 'two'"


async def test_testers_ask_for_an_arm_by_name_where_that_is_permitted():
    """T7."""
    async with serving(route(0, forced=True), route(0, name="strict")) as (_, session):
        for name, wanted, status, arm in (("m", "b", 200, "b"), ("m", "z", 400, None), ("strict", "b", 200, "a")):
            async with session.post(f"/v2/models/{name}/infer", json=BODY, headers={HEADER: wanted}) as response:
                assert (response.status, response.headers.get(HEADER)) == (status, arm)


async def test_a_header_that_matches_decides():
    matching = route(0, matches=(Match("X-Group", "beta", "b"),))
    async with (
        serving(matching) as (_, session),
        session.post("/predict", json={"x": 1}, headers={"x-group": "beta"}) as response,
    ):
        assert response.headers[HEADER] == "b"


class Rows:
    """Keeps what it was asked together, doubles it, and waits at a gate for all but zeros."""

    name, version, platform = "rows", "1", "test_test"
    inputs = outputs = (TensorSpec("x", "FP64", (-1,)),)

    def __init__(self, factor):
        self.factor = factor
        self.gate = threading.Event()
        self.batches = []

    def predict(self, inputs, /):
        if inputs["x"].any():
            self.batches.append(inputs["x"].tolist())
            assert self.gate.wait(30)
        return {"x": inputs["x"] * self.factor}


def gated(name="rows", batching=None, factor=2):
    """A repository with a model `one`, and one that waits, in a thread."""
    repository, model = models(), Rows(factor)
    loaded = repository.add(name, model, policy=Policy(Limits(), batching))
    object.__setattr__(loaded, "inline_elements", -1)
    object.__setattr__(loaded, "direct", False)
    return repository, model


async def test_a_batch_never_mixes_arms():
    """T10, DB7."""
    repository, first = gated("one", Batching(always=True))
    second = Rows(3)
    loaded = repository.add("two", second, policy=Policy(Limits(), Batching(always=True)))
    object.__setattr__(loaded, "inline_elements", -1)
    async with serving(route(), repository=repository) as (_, session):
        first.gate.set()
        second.gate.set()
        arms = {}

        async def ask(number):
            body = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [number]}]}
            async with session.post("/v2/models/m/infer", json=body) as response:
                arms[number] = response.headers[HEADER]
                assert (await response.json())["outputs"][0]["data"] == [number * (3 if arms[number] == "b" else 2)]

        await asyncio.gather(*(ask(float(number)) for number in range(1, 61)))
    for model, arm in ((first, "a"), (second, "b")):
        assert sorted(number for batch in model.batches for number in batch) == sorted(
            number for number, found in arms.items() if found == arm
        )


async def test_a_change_of_weights_is_for_later_requests_alone():
    """T9."""
    repository, model = gated("one")
    async with serving(route(0), repository=repository) as (endpoint, session):
        traffic = endpoint._traffic.traffic
        async with asyncio.TaskGroup() as group:

            async def ask():
                body = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [4.0]}]}
                async with session.post("/v2/models/m/infer", json=body) as response:
                    return response.headers[HEADER], (await response.json())["outputs"][0]["data"]

            early = group.create_task(ask())
            await becomes(lambda: len(model.batches), 1)
            traffic.replace(Routes.of(route(100)))
            assert (await ask())[0] == "b"
            model.gate.set()
        assert early.result() == ("a", [8.0])


async def test_a_shadow_gets_copies_and_is_compared_and_no_answer_shows_it():
    """T11: differences of numbers, and rows with other labels."""
    shadowed = Route("m", (Arm("a", "one", weight=100),), shadows=(Shadow("s", "two"),))
    async with serving(shadowed) as (endpoint, session):
        for _ in range(3):
            async with session.post("/predict", json={"x": 2.5}) as response:
                assert await response.json() == {"prediction": -0.5}
                await becomes(lambda: value(endpoint, "shadow_in_flight"), 0.0)
        assert value(endpoint, "shadow_requests_total", route="m", shadow="s", result="answered") == 3
        assert value(endpoint, "shadow_difference_sum", route="m", shadow="s") == 3.0
        assert value(endpoint, "requests_total", model="m", version="1", protocol="predict", code="200") == 3
        assert value(endpoint, "requests_total", model="two", protocol="predict", code="200") == 0


@pytest.mark.parametrize("fault", ["raises", "takes something else", "is not loaded"])
async def test_what_goes_wrong_with_a_shadow_is_counted_and_never_seen(fault, echo):
    """T11."""

    class Broken(LinearModel):
        def predict(self, inputs, /):
            if inputs["x"].any():
                raise ValueError("broken")
            return super().predict(inputs)

    others = {"raises": Broken(), "takes something else": echo(TensorSpec("y", "FP32", (-1, 3)))}
    repository = models(**({"three": others[fault]} if fault in others else {}))
    shadowed = Route("m", (Arm("a", "one", weight=100),), shadows=(Shadow("s", "three"),))
    async with serving(shadowed, repository=repository) as (endpoint, session):
        for number in range(1, 3):
            async with session.post("/predict", json={"x": 2.5}) as response:
                assert (response.status, await response.json()) == (200, {"prediction": -0.5})
            await becomes(
                lambda: value(endpoint, "shadow_requests_total", route="m", shadow="s", result="failed"), float(number)
            )


async def test_a_slow_shadow_delays_no_answer_and_copies_beyond_the_bound_are_dropped():
    """T11, T12: answers come while the shadow hangs; of ten copies two are under way, eight are dropped at once."""
    repository, slow = gated()
    arms = (Arm("a", "one", weight=100),)
    async with serving(Route("m", arms, shadows=(Shadow("s", "rows"),)), repository=repository, shadows_max=2) as (
        endpoint,
        session,
    ):
        try:
            for _ in range(10):
                async with session.post("/predict", json={"x": 2.5}) as response:
                    assert await response.json() == {"prediction": -0.5}
            assert value(endpoint, "shadow_requests_total", route="m", shadow="s", result="dropped") == 8
            assert value(endpoint, "shadow_in_flight") == 2
        finally:
            slow.gate.set()
        await becomes(lambda: value(endpoint, "shadow_in_flight"), 0.0)
        # Its answers are called x, not prediction, so each row is another.
        assert value(endpoint, "shadow_requests_total", route="m", shadow="s", result="answered") == 2
        assert value(endpoint, "shadow_rows_total", route="m", shadow="s", agree="no") == 2


async def test_copies_are_dropped_first_when_every_thread_is_busy():
    """T11."""
    repository, busy = gated()
    shadowed = Route("m", (Arm("a", "one", weight=100),), shadows=(Shadow("s", "two"),))
    async with serving(shadowed, repository=repository) as (endpoint, session):
        body = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [1.0]}]}
        asked = [asyncio.create_task(session.post("/v2/models/rows/infer", json=body)) for _ in range(4)]
        try:
            await becomes(lambda: len(busy.batches), 4)
            async with session.post("/predict", json={"x": 2.5}) as response:
                assert response.status == 200
            assert value(endpoint, "shadow_requests_total", route="m", shadow="s", result="dropped") == 1
        finally:
            busy.gate.set()
        for one in asked:
            (await one).release()


async def test_only_what_an_arm_answers_is_labelled_with_it():
    """T8: a client's mistake is counted under the arm with its code, and invented names under none."""
    async with serving(route(0)) as (endpoint, session):
        async with session.post("/v2/models/m/infer", json={"inputs": []}) as response:
            assert response.status == 400
        async with session.post("/v2/models/invented/infer", json=BODY) as response:
            assert response.status == 404
        assert value(endpoint, "arm_requests_total", route="m", arm="a", code="400") == 1
        assert value(endpoint, "arm_weight", route="m", arm="a") == 100
        async with session.get("/metrics") as response:
            assert "invented" not in await response.text()


@pytest.mark.parametrize("path", ["/v2/models/m/infer", "/v1/models/m:predict"])
async def test_an_arm_whose_answers_are_not_finite_is_taken_out(path):
    """T13, T15: whatever the protocol makes of NaN."""

    class Broken(LinearModel):
        def predict(self, inputs, /):
            return {"prediction": np.where(inputs["x"] == 0, 0.0, np.nan)}

    repository = models(two=Broken())
    plan = Experiment("e", "a", "b")
    async with serving(route(experiment=plan), repository=repository) as (endpoint, session):
        body = BODY if path.startswith("/v2") else {"instances": [2.5]}
        for number in range(40):
            async with session.post(path, json=body, headers={"X-Experiment-Key": str(number)}):
                pass
        seen = endpoint._traffic.traffic.experiment("m")
        assert (seen["state"], seen["why"]) == ("rolled back", "5 requests of 'b' failed in a row")


async def test_an_arm_that_predicts_something_else_is_taken_out_whatever_the_protocol():
    """T13: -0.5 of the one and 0.5 of the other, over v1, v2 and gRPC in turn; nothing fails and nothing is slow."""
    plan = Experiment("e", "a", "b", guardrails=(Guardrail("drift", 0.25),), samples_min=50)
    request = message("ModelInferRequest")(model_name="m")
    request.inputs.add(name="x", datatype="FP64", shape=[1]).contents.fp64_contents.append(2.5)
    async with (
        serving(route(experiment=plan)) as (endpoint, session),
        grpc.aio.insecure_channel(endpoint.grpc_address) as channel,
    ):
        ask = channel.unary_unary(
            f"/{SERVICE}/ModelInfer",
            request_serializer=lambda one: one.SerializeToString(),
            response_deserializer=message("ModelInferResponse").FromString,
        )
        for number in range(0, 600, 3):
            for path, body in (("/v2/models/m/infer", BODY), ("/v1/models/m:predict", {"instances": [2.5]})):
                key = f"{path[1:3]}-{number}"
                async with session.post(path, json=body, headers={"X-Experiment-Key": key}) as response:
                    assert response.status == 200
            await ask(request, metadata=(("x-experiment-key", str(number)),))
        running = endpoint._traffic.traffic.live("m").running
        # A tick may have ended it by now; until then every request was counted, after the hundred of the reference.
        assert running.drift > 0.25
        await becomes(lambda: running.state.verdict, Verdict.ROLLED_BACK)
        assert running.state.why.startswith("guardrail drift: ")
        assert value(endpoint, "arm_prediction_drift", route="m", arm="b") == running.drift
        for number in range(20):
            async with session.post("/predict", json={"x": 2.5}, headers={"X-Experiment-Key": f"u{number}"}) as answer:
                assert answer.headers[HEADER] == "a"


async def test_what_is_no_more_leaves_the_metrics():
    """T8: names that come and go do not pile up."""
    async with serving(route(0, shadows=(Shadow("s", "two"),))) as (endpoint, session):
        async with session.post("/predict", json={"x": 2.5}):
            await becomes(lambda: value(endpoint, "shadow_in_flight"), 0.0)
        assert value(endpoint, "arm_requests_total", route="m", arm="a", code="200") == 1
        assert value(endpoint, "shadow_requests_total", route="m", shadow="s", result="answered") == 1
        endpoint._traffic.traffic.replace(Routes.of(Route("m", (Arm("z", "one", weight=100),))))
        async with session.get("/metrics") as response:
            text = await response.text()
        assert [line for line in text.splitlines() if 'arm="a"' in line or 'shadow="s"' in line] == []
        assert 'arm_weight{arm="z",route="m"} 100.0' in text


def test_routes_have_one_source(tmp_path):
    with pytest.raises(
        EndpointError, match=r"traffic: the routes come from .*routes.yaml or from routes, not from both"
    ):
        TrafficOptions(Routes.of(route()), file=tmp_path / "routes.yaml")


async def test_a_journal_has_one_endpoint_at_a_time(tmp_path):
    """Two would decide the same experiment without knowing of each other."""
    journal = tmp_path / "journal.jsonl"
    async with serving(journal=journal):
        with pytest.raises(EndpointError, match=r"journal\.jsonl: another endpoint writes it$"):
            async with serving(journal=journal):
                pass
    async with serving(journal=journal):
        pass


async def test_a_route_is_among_the_names_that_are_answered_for():
    async with serving(route()) as (_, session):
        for path in ("/v1/models", "/v2/models"):
            async with session.get(path) as response:
                assert await response.json() == {"models": ["m", "one", "two"]}


class Ailing(LinearModel):
    """Cannot answer just now, as one whose process is started anew."""

    def not_ready_because(self):
        return "its process is started anew"


async def test_an_arm_that_cannot_answer_just_now_is_passed_over_as_one_that_is_not_loaded():
    async with serving(route(100), repository=models(two=Ailing())) as (endpoint, session):
        async with session.post("/v2/models/m/infer", json=BODY) as response:
            assert (response.status, response.headers[HEADER]) == (200, "a")
        assert value(endpoint, "arm_fallback_total", route="m", arm="b") == 1
    both = models(one=Ailing(), two=Ailing())
    async with serving(route(), repository=both) as (_, session), session.post("/v2/models/m/infer", json=BODY) as one:
        assert one.status == 503
        assert "a: its process is started anew; b: its process is started anew" in (await one.json())["error"]


async def test_an_arm_that_made_room_for_others_is_loaded_again(tmp_path, publish):
    """Requests ask for it by the route's name alone."""
    for name in ("one", "two"):
        publish(tmp_path, name, 1, memory_bytes=40)
    repository = ModelRepository(tmp_path, poll_seconds=3600, options=RepositoryOptions(memory_bytes_max=50))
    await repository.refresh()
    assert [loaded.name for loaded in repository.models()] == ["two"]
    async with serving(route(0), repository=repository) as (_, session), asyncio.timeout(30):
        variant = None
        while variant != "a":
            async with session.post("/v2/models/m/infer", json=BODY) as response:
                assert response.status in (200, 503)
                variant = response.headers.get(HEADER)
    repository.close()


async def test_an_endpoint_that_stops_leaves_the_counts_of_its_experiments_to_the_next(tmp_path):
    plan = Experiment("e", "a", "b")
    for times in (1, 2):
        async with serving(route(experiment=plan), journal=tmp_path / "journal.jsonl", api=True) as (_, session):
            for number in range(20 * times):
                headers = {"X-Experiment-Key": f"user-{number}"}
                async with session.post("/v2/models/m/infer", json=BODY, headers=headers) as response:
                    assert response.status == 200
            async with session.get("/v2/traffic/m/experiment") as response:
                assert sum((await response.json())["units"].values()) == 20 * times
    kept = (tmp_path / "journal.jsonl.counts").read_bytes()
    assert b"user" not in kept
