import asyncio
import base64
import json
import logging

import aiohttp
import pytest
from aiohttp import web
from certificates import Authority
from conformance.webhooks import ALLOWED, VALIDATING, configuration, hook, open_webhook, rule
from silent_tls import silent_tls, sockets_to

from windlass.envtest.apiserver import ApiServer
from windlass.envtest.apiserver.decisions import Call, Endpoint
from windlass.envtest.apiserver.extension.calling import ANSWER_MAX, Caller
from windlass.envtest.apiserver.schema import expressions

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
REVIEW = b'{"request":{}}'


def config_map(name, **metadata):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name} | metadata}


async def asked(webhook, found=None, **endpoint):
    """What a caller gets to know of a webhook within two seconds; `found` is the service that it looks for."""
    caller = Caller(lambda namespace, name: found)
    try:
        place = endpoint or {"url": webhook.client()["url"], "authority": webhook.authority()}
        return await caller(Call(Endpoint(**place), REVIEW, 2.0))
    finally:
        await caller.close()


@pytest.mark.realtime
async def test_an_answer_that_never_ends_is_cut_off():
    async def endless(request):
        return web.Response(body=b"x" * (ANSWER_MAX + 10))

    async with open_webhook(endless) as webhook:
        reply = await asked(webhook)
    assert reply.failure == f"the answer is larger than {ANSWER_MAX} bytes"


@pytest.mark.realtime
async def test_no_socket_outlives_a_caller_whose_call_was_cancelled(tmp_path):
    """TLS says farewell and waits for the peer's: whoever ended the loop then left the socket to the collector."""
    authority = Authority(tmp_path)
    bundle = base64.b64encode(authority.ca_file.read_bytes()).decode()
    caller = Caller(lambda namespace, name: None)
    with silent_tls(authority) as (port, asked):
        call = asyncio.ensure_future(caller(Call(Endpoint(f"https://127.0.0.1:{port}/", authority=bundle), REVIEW, 60)))
        while not asked.is_set():  # noqa: ASYNC110 - a thread's event
            await asyncio.sleep(0.01)
        call.cancel()
        await asyncio.wait([call])
        await caller.close()
        assert sockets_to(port) == []


@pytest.mark.realtime
async def test_a_connection_that_breaks_is_a_failure():
    class Broken(web.Response):
        async def prepare(self, request):
            request.transport.abort()
            return await super().prepare(request)

    async with open_webhook(lambda request: Broken()) as webhook:
        reply = await asked(webhook)
    assert reply.failure.startswith(f'Post "https://127.0.0.1:{webhook.port}/?timeout=2s": ')


@pytest.mark.realtime
@pytest.mark.parametrize("bundle", ["AAAA", "not base64"])
async def test_an_authority_that_cannot_be_read_is_a_failure(bundle):
    reply = await asked(None, url="https://127.0.0.1:1/", authority=bundle)
    assert "unable to load root certificates" in reply.failure


@pytest.mark.realtime
@pytest.mark.parametrize(
    ("spec", "failure"),
    [
        (None, 'service "hook" not found'),
        ({"clusterIP": "None"}, 'cannot route to service with ClusterIP "None"'),
        ({"ports": [{"port": 80}]}, 'no service port 443 found for service "hook"'),
        ({"ports": [{"port": 443}]}, "this server routes to no cluster IPs"),
    ],
)
async def test_a_service_that_leads_nowhere_is_a_failure(spec, failure):
    reply = await asked(None, None if spec is None else {"spec": spec}, service=("ns", "hook", "", 443))
    assert failure in reply.failure


class Session:
    def __init__(self, url, session):
        self.url, self.session = url, session

    async def ask(self, method, path, body=None):
        async with self.session.request(method, self.url + path, json=body) as response:
            return response.status, await response.json(), response.headers.getall("Warning", [])


async def _until(ready):
    while not ready():  # noqa: ASYNC110
        await asyncio.sleep(0.02)


@pytest.mark.realtime
async def test_garbage_is_collected_once_its_webhook_lets_it_go(caplog):
    caplog.set_level(logging.ERROR)
    answers = [{"allowed": False}, ALLOWED]

    def answer(request):
        return answers.pop(0) if request["userInfo"]["username"].endswith("garbage-collector") else ALLOWED

    async with ApiServer() as server, aiohttp.ClientSession() as http, open_webhook(answer) as webhook:
        session = Session(server.url, http)
        _, owner, _ = await session.ask("POST", CONFIG_MAPS, config_map("owner"))
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
        await session.ask("POST", CONFIG_MAPS, config_map("child", ownerReferences=[reference]))
        entry = hook(webhook, rules=[rule("configmaps", operations=["DELETE"])])
        await session.ask("POST", VALIDATING, configuration(VALIDATING, "all", entry))
        assert (await session.ask("DELETE", f"{CONFIG_MAPS}/owner"))[0] == 200
        await _until(lambda: not answers)
        while (await session.ask("GET", f"{CONFIG_MAPS}/child"))[0] != 404:
            pass
    names = [request["oldObject"]["metadata"]["name"] for request in webhook.requests]
    assert names == ["owner", "child", "child"]


@pytest.mark.realtime
async def test_a_server_stops_while_its_housekeeping_waits_for_a_webhook():
    async with open_webhook(lambda request: None) as webhook, ApiServer() as server, aiohttp.ClientSession() as http:
        session = Session(server.url, http)
        _, owner, _ = await session.ask("POST", CONFIG_MAPS, config_map("owner"))
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
        await session.ask("POST", CONFIG_MAPS, config_map("child", labels={"x": "y"}, ownerReferences=[reference]))
        entry = hook(webhook, timeoutSeconds=30, objectSelector={"matchLabels": {"x": "y"}})
        await session.ask("POST", VALIDATING, configuration(VALIDATING, "all", entry))
        assert (await session.ask("DELETE", f"{CONFIG_MAPS}/owner"))[0] == 200
        await _until(lambda: webhook.requests)
        assert (await session.ask("POST", CONFIG_MAPS, config_map("other")))[0] == 201


@pytest.mark.realtime
async def test_without_the_extra_rules_are_stored_and_said_not_to_be_evaluated(monkeypatch):
    monkeypatch.setattr(expressions, "_language", lambda: None)
    schema = {"type": "object", "x-kubernetes-validations": [{"rule": "false"}]}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    spec = {
        "group": "ex.dev",
        "scope": "Namespaced",
        "names": {"plural": "things", "kind": "Thing"},
        "versions": [version],
    }
    body = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "spec": spec}
    async with ApiServer() as server, aiohttp.ClientSession() as http:
        session = Session(server.url, http)
        code, made, warnings = await session.ask("POST", CRDS, body | {"metadata": {"name": "things.ex.dev"}})
        thing = {"apiVersion": "ex.dev/v1", "kind": "Thing", "metadata": {"name": "a"}}
        stored = await session.ask("POST", "/apis/ex.dev/v1/namespaces/default/things", thing)
    assert (code, stored[0]) == (201, 201)
    assert len(warnings) == 1
    assert "not evaluated: windlass[cel] is not installed" in warnings[0]
    found = made["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["x-kubernetes-validations"]
    assert found == [{"rule": "false"}]


def versions(*names):
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return [{"name": name, "served": True, "storage": name == names[0], "schema": schema} for name in names]


@pytest.mark.realtime
async def test_what_changes_while_the_start_of_a_watch_is_converted_is_told_once():
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def convert(request):
        if request["desiredAPIVersion"] == "ex.dev/v2":
            asked.set()
            await go_on.wait()
        objects = [one | {"apiVersion": request["desiredAPIVersion"]} for one in request["objects"]]
        return {"result": {"status": "Success"}, "convertedObjects": objects}

    things = "/apis/ex.dev/v1/namespaces/default/things"
    async with open_webhook(convert) as webhook, ApiServer() as server, aiohttp.ClientSession() as http:
        session = Session(server.url, http)
        review = {"clientConfig": webhook.client(), "conversionReviewVersions": ["v1"]}
        spec = {
            "group": "ex.dev",
            "scope": "Namespaced",
            "names": {"plural": "things", "kind": "Thing"},
            "versions": versions("v1", "v2"),
            "conversion": {"strategy": "Webhook", "webhook": review},
        }
        body = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "spec": spec}
        await session.ask("POST", CRDS, body | {"metadata": {"name": "things.ex.dev"}})
        thing = {"apiVersion": "ex.dev/v1", "kind": "Thing"}
        await session.ask("POST", things, thing | {"metadata": {"name": "a"}})
        watching = asyncio.create_task(http.get(f"{server.url}{things.replace('v1', 'v2')}?watch=1"))
        await asked.wait()
        await session.ask("POST", things, thing | {"metadata": {"name": "b"}})
        go_on.set()
        async with await watching as response:
            first = [json.loads(await response.content.readline()) for _ in range(2)]
            await session.ask("POST", things, thing | {"metadata": {"name": "c"}})
            last = json.loads(await response.content.readline())
    shown = [(one["type"], one["object"]["metadata"]["name"]) for one in (*first, last)]
    assert shown == [("ADDED", "a"), ("ADDED", "b"), ("ADDED", "c")]
