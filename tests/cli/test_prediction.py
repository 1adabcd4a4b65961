import json
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from windlass.cli.prediction import (
    Check,
    Example,
    PredictionError,
    check_prediction,
    example_of,
    request_body,
    write_request,
)
from windlass.informers import ObjectMeta
from windlass.operators.training import TrainingJob
from windlass.operators.training.types import DataReference, Output, TrainingJobSpec

EXAMPLE = Example(row=12, features=(0.0, 1.5), label=2)


@asynccontextmanager
async def endpoint(answer):
    """A server whose model `digits` gives `answer(request)`."""
    app = web.Application()
    app.router.add_post("/v2/models/digits/infer", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def answering(text, status=200):
    async def answer(request):
        return web.Response(text=text, status=status, content_type="application/json")

    return answer


def labels(*found):
    return json.dumps({"outputs": [{"name": "scores", "data": [0.1]}, {"name": "label", "data": list(found)}]})


def test_the_request_is_one_row_of_the_open_inference_protocol():
    assert json.loads(request_body(EXAMPLE)) == {
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [0.0, 1.5]}]
    }


def test_the_request_is_left_for_curl(tmp_path):
    write_request(tmp_path / "request.json", EXAMPLE)

    assert (tmp_path / "request.json").read_bytes() == request_body(EXAMPLE)


def test_the_sentence_says_which_row_and_whether_it_was_right():
    assert Check(EXAMPLE, 2).sentence == "row 12, held out of training: label 2, predicted 2, correct"
    assert Check(EXAMPLE, 3).sentence == "row 12, held out of training: label 2, predicted 3, WRONG"
    assert (Check(EXAMPLE, 2).passed, Check(EXAMPLE, 3).passed) == (True, False)


@pytest.mark.realtime
@pytest.mark.parametrize("predicted", [2, 7])
async def test_the_label_is_read_from_the_answer(predicted):
    async with endpoint(answering(labels(predicted))) as url:
        assert await check_prediction(url, "digits", EXAMPLE) == Check(EXAMPLE, predicted)


@pytest.mark.realtime
async def test_the_endpoint_gets_the_example():
    got = []

    async def answer(request):
        got.append(await request.read())
        return web.Response(text=labels(2), content_type="application/json")

    async with endpoint(answer) as url:
        await check_prediction(url, "digits", EXAMPLE)
    assert got == [request_body(EXAMPLE)]


@pytest.mark.realtime
@pytest.mark.parametrize(
    ("text", "status", "says"),
    [
        ('{"error": "there is no model"}', 404, "answered 404: .*there is no model"),
        ("no json", 200, "something else than a label"),
        ("[]", 200, "something else than a label"),
        ('{"outputs": []}', 200, "something else than a label"),
        (labels(), 200, "something else than a label"),
        (labels("seven"), 200, "something else than a label"),
    ],
)
async def test_an_answer_without_a_label_is_an_error_that_names_the_address(text, status, says):
    async with endpoint(answering(text, status)) as url:
        with pytest.raises(PredictionError, match=says) as caught:
            await check_prediction(url, "digits", EXAMPLE)
    assert str(caught.value).startswith(f"{url}/v2/models/digits/infer")


@pytest.mark.realtime
async def test_an_endpoint_that_is_away_is_an_error_that_names_the_address():
    async with endpoint(answering("")) as url:
        pass
    with pytest.raises(PredictionError, match=f"^{url}/v2/models/digits/infer: "):
        await check_prediction(url, "digits", EXAMPLE)


def test_a_job_that_never_pinned_its_data_has_no_example():
    spec = TrainingJobSpec(DataReference("/data"), "softmax", Output("digits"))
    with pytest.raises(PredictionError, match="default/digits has no data on record"):
        example_of(TrainingJob(metadata=ObjectMeta(name="digits", namespace="default"), spec=spec))
