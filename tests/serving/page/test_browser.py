"""The page in a real browser, Debian's Chromium: what a person sees, and what a person does."""

import asyncio
import json
import re
import threading
import urllib.request

import numpy as np
import pytest
from peers import chromium
from playwright.sync_api import expect, sync_playwright

from windlass.serving import Endpoint, LinearModel, ModelRepository, TensorSpec

# The browser shares a busy machine with other tests; nothing here waits for a time, only for what must appear.
PATIENCE_MS = 30_000
NOTHING = "\N{EN DASH}"
EVIL = "<img src=x onerror=document.title='taken'>"


class Sum:
    """What was sent, added up; it says of itself what nobody should believe."""

    name, version, platform = "sum", "4", EVIL
    inputs = (TensorSpec("a", "FP32", (-1, 2)), TensorSpec("b", "INT8", (-1,)))
    outputs = (TensorSpec("sum", "FP32", (-1,)),)

    def predict(self, inputs, /):
        return {"sum": inputs["a"].sum(axis=1) + inputs["b"].astype(np.float32)}


@pytest.fixture(scope="module")
def url():
    """An endpoint on a loop in a thread, because the browser's driver blocks."""
    repository = ModelRepository()
    repository.add("linear", LinearModel())
    repository.add("sum", Sum())
    loop, started, stop = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    found = []

    async def serve():
        async with Endpoint(repository, port=0) as endpoint:
            found.append(endpoint.url)
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert started.wait(30)
    yield found[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(30)
    loop.close()


@pytest.fixture(scope="module")
def browser():
    program = chromium()
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser, url):
    """The page, open; a message on the console or an error of a script that a test did not ask for fails it."""
    context = browser.new_context()
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE_MS)
    messages = []
    opened.on("console", lambda message: messages.append(message.text))
    opened.on("pageerror", lambda error: messages.append(str(error)))
    opened.goto(f"{url}/page")
    expect(opened.locator("#health")).to_have_text("ready", timeout=PATIENCE_MS)
    yield opened
    context.close()
    # Chromium itself writes a line about each answer that is an error, and each that does not come.
    wanted = re.compile(r"Failed to load resource: (.* status of 40[01]|net::ERR_FAILED)")
    assert [one for one in messages if not wanted.match(one)] == []


def test_it_shows_each_model_with_its_version_and_shapes(page):
    row = page.locator("tr[data-model=sum]")
    expect(row).to_contain_text("a FP32 [-1, 2]")
    expect(row).to_contain_text("b INT8 [-1]")
    expect(row).to_contain_text("sum FP32 [-1]")
    expect(row.locator("td").first).to_have_text("4")
    expect(page.locator("tr[data-model=linear]")).to_contain_text("x FP64 [-1]")


def test_what_a_model_says_of_itself_is_text(page):
    expect(page.locator("tr[data-model=sum] th div")).to_have_text(EVIL)
    assert page.locator("img").count() == 0
    assert page.title() == "Windlass inference endpoint"


def test_a_request_that_fits_is_offered_and_answered(page):
    page.get_by_role("button", name="Try sum").click()
    body = page.get_by_label("Request, as JSON")
    expect(body).to_be_focused()
    body.fill(body.input_value().replace("[0,0]", "[1.5,2]").replace("[0]", "[3]"))
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#outcome")).to_have_text(re.compile(r"^200 in [\d.]+ ms$"), timeout=PATIENCE_MS)
    expect(page.locator("#answer")).to_contain_text('"data":[6.5]')


def test_an_error_is_told_in_the_endpoints_words(page):
    page.get_by_label("Model", exact=True).select_option("linear")
    page.get_by_label("Request, as JSON").fill('{"inputs": []}')
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#outcome")).to_have_text("400: input 'x': missing", timeout=PATIENCE_MS)
    expect(page.locator("#answer")).to_be_hidden()


def test_requests_and_latencies_of_the_last_minute_appear(page):
    row = page.locator("tr[data-model=linear]")
    expect(row.locator(".p50")).to_have_text(NOTHING)
    page.get_by_label("Model", exact=True).select_option("linear")
    for _ in range(3):
        with page.expect_response("**/infer"):
            page.get_by_role("button", name="Send").click()
        expect(page.locator("#result")).not_to_have_attribute("aria-busy", "true")
    expect(row.locator(".requests")).to_have_text("3", timeout=PATIENCE_MS)
    for quantile in (".p50", ".p99"):
        expect(row.locator(quantile)).to_have_text(re.compile(r"^[\d.]+ ms$"))


def test_what_others_ask_appears_by_itself(page, url):
    requests = page.locator("tr[data-model=sum] .requests")
    expect(requests).to_have_text("0")
    with urllib.request.urlopen(
        f"{url}/v1/models/sum:predict", data=b'{"instances": [{"a": [1, 2], "b": 3}]}'
    ) as answer:
        assert json.load(answer) == {"predictions": [6.0]}
    expect(requests).to_have_text("1", timeout=PATIENCE_MS)


def test_a_quantile_is_computed_as_prometheus_does(page):
    quantile = "([bounds, counts, q]) => quantile(bounds, counts, q)"
    bounds = [0.1, 0.5, 1.0]
    assert page.evaluate(quantile, [bounds, [0, 0, 0, 0], 0.5]) is None
    assert page.evaluate(quantile, [bounds, [10, 10, 10, 10], 0.5]) == pytest.approx(0.05)
    assert page.evaluate(quantile, [bounds, [0, 4, 8, 8], 0.75]) == pytest.approx(0.75)
    assert page.evaluate(quantile, [bounds, [0, 0, 0, 8], 0.99]) == pytest.approx(1.0)


def test_it_works_by_keyboard_alone(page):
    page.keyboard.press("Tab")  # the table, which scrolls
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Try linear")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Request, as JSON")).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text('{"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [2.5]}]}')
    page.keyboard.press("Control+Enter")
    expect(page.locator("#answer")).to_contain_text('"data":[-0.5]', timeout=PATIENCE_MS)
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Send")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Send")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#answer")).to_be_focused()


def test_it_asks_for_a_token_where_the_endpoint_does(page):
    def guard(route):
        if route.request.headers.get("authorization") == "Bearer secret":
            route.continue_()
        else:
            route.fulfill(status=401, json={"error": "a token is needed"})

    page.route(re.compile("/page/state|/infer"), guard)
    token = page.get_by_label("This endpoint asks for a token")
    expect(token).to_be_hidden()
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#outcome")).to_have_text("401: a token is needed", timeout=PATIENCE_MS)
    expect(page.locator("#health")).to_have_text("401: a token is needed")
    token.fill("secret")
    token.press("Enter")
    expect(page.locator("#outcome")).to_have_text(re.compile(r"^200 in "), timeout=PATIENCE_MS)
    expect(page.locator("#health")).to_have_text("ready", timeout=PATIENCE_MS)


def test_it_says_so_when_the_endpoint_is_gone(page):
    page.route("**/page/state", lambda route: route.abort())
    page.evaluate("refresh()")  # as it does by itself, sooner or later
    expect(page.locator("#health")).to_contain_text("does not answer", timeout=PATIENCE_MS)
    page.unroute("**/page/state")
    page.evaluate("refresh()")
    expect(page.locator("#health")).to_have_text("ready", timeout=PATIENCE_MS)
