"""Numbers come from a real HTTP server here, and so does everything that is none."""

import asyncio

import attrs
import pytest
from aiohttp import web
from promotion_house import serving

from windlass.operators.promotion.checks import Reading
from windlass.operators.promotion.metrics import parse_answer, parse_text, read_metrics
from windlass.operators.promotion.settings import PromotionSettings
from windlass.operators.promotion.types import MetricCheck, Series

TEXT = """
# TYPE requests counter
requests_total{model="digits",code="200"} 90
requests_total{model="digits",code="500"} 10
requests_total{model="other",code="500"} 7
# TYPE up gauge
up 1
"""
ERRORS = MetricCheck(
    "errors",
    "",
    series=Series("requests_total", {"model": "digits", "code": "500"}),
    per=Series("requests_total", {"model": "digits"}),
    at_most=0.01,
)


def test_series_with_the_labels_are_summed():
    assert parse_text(TEXT, ERRORS) == Reading(10.0, 100.0)


@pytest.mark.parametrize("text", ["", 'requests_total{model="digits', "requests_total abc"])
def test_what_has_no_such_series_or_is_no_such_text_is_no_answer(text):
    assert parse_text(text, ERRORS).error


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"data": {"resultType": "scalar", "result": [1, "0.25"]}}', 0.25),
        ('{"data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "2"]}]}}', 2.0),
    ],
)
def test_an_answer_of_prometheus_is_one_number(text, value):
    assert parse_answer(text).value == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"data": {"resultType": "vector", "result": []}}',
        '{"data": {"resultType": "vector", "result": [{"value": [1, "2"]}, {"value": [1, "3"]}]}}',
        '{"data": {"resultType": "matrix", "result": []}}',
        '{"data": {"resultType": "scalar", "result": [1, "x"]}}',
        '{"status": "error"}',
    ],
)
def test_any_other_answer_is_a_reason(text):
    assert parse_answer(text).error


@pytest.mark.realtime
async def test_each_url_is_asked_once_and_every_way_to_fail_is_a_reason():
    asked = []

    async def text(request):
        asked.append(request.path)
        return web.Response(text=TEXT)

    async def broken(request):
        return web.Response(status=500, text="secret")

    async def away(request):
        raise web.HTTPFound("/text")

    async def slow(request):
        await asyncio.sleep(30)

    async def binary(request):
        return web.Response(body=b"\xff\xfe")

    async with serving(text=text, broken=broken, away=away, slow=slow, binary=binary) as url:
        names = ("text", "again", "broken", "away", "slow", "binary", "elsewhere", "dead")
        urls = {"again": f"{url}/text", "elsewhere": "http://127.0.0.2:1/", "dead": "http://127.0.0.1:1/"}
        checks = tuple(attrs.evolve(ERRORS, name=name, url=urls.get(name, f"{url}/{name}")) for name in names)
        settings = PromotionSettings(urls=(url, "http://127.0.0.1:1/"), request_seconds=0.5)
        found = await read_metrics(checks, settings)

    assert found["text"] == found["again"] == Reading(10.0, 100.0)
    assert asked == ["/text"]
    assert {name: bool(found[name].error) for name in names[2:]} == dict.fromkeys(names[2:], True)
    assert "secret" not in found["broken"].error
    assert "owner allows" in found["elsewhere"].error


@pytest.mark.realtime
async def test_a_query_is_asked_of_prometheus():
    async def query(request):
        assert request.query["query"] == 'rate(x{a="b"}[5m])'
        return web.json_response({"data": {"resultType": "scalar", "result": [1, "0.25"]}})

    async with serving(**{"prom/api/v1/query": query}) as url:
        check = MetricCheck("rate", f"{url}/prom/", query='rate(x{a="b"}[5m])', at_most=1.0)
        found = await read_metrics((check,), PromotionSettings(urls=(url,)))

    assert (found["rate"].value, found["rate"].error) == (0.25, "")
