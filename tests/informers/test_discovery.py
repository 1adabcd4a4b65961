"""Kinds by asking, remembered, and asked for again on a miss (T-03)."""

import asyncio
import json
from types import SimpleNamespace

import pytest

from windlass.informers.client import Response
from windlass.informers.discovery import Discovery
from windlass.informers.errors import ApiError, ProtocolError, UnregisteredKind
from windlass.informers.resources import Resource

APPS = [
    {"name": "deployments", "kind": "Deployment", "namespaced": True, "verbs": ["get"]},
    {"name": "deployments/scale", "kind": "Scale", "namespaced": True, "verbs": ["get"]},
    {"name": "deployments/status", "kind": "Deployment", "namespaced": True, "verbs": ["get"]},
]


class Server:
    cluster = SimpleNamespace(server="http://scripted")

    def __init__(self, **groups):
        self.groups = groups
        self.paths = []

    async def send(self, request, *, retries=None):
        self.paths.append(request.path)
        await asyncio.sleep(0.01)
        found = self.groups.get(request.path)
        if found is None:
            raise ApiError.of(404, b"404 page not found")
        return Response(200, {}, found if isinstance(found, bytes) else json.dumps({"resources": found}).encode())


async def test_a_kind_is_found_and_remembered():
    server = Server(**{"/apis/apps/v1": APPS, "/api/v1": [{"name": "nodes", "kind": "Node", "namespaced": False}]})
    discovery = Discovery(server)

    assert await discovery.resource("apps/v1", "Deployment") == Resource("apps", "v1", "Deployment", "deployments")
    assert await discovery.resource("apps/v1", "Deployment")
    assert await discovery.resource("v1", "Node") == Resource("", "v1", "Node", "nodes", namespaced=False)
    assert server.paths == ["/apis/apps/v1", "/api/v1"]
    assert repr(discovery) == "<Discovery http://scripted groups=2>"


async def test_subresources_are_no_kinds():
    assert [one.kind for one in await Discovery(Server(**{"/apis/apps/v1": APPS})).resources("apps/v1")] == [
        "Deployment"
    ]


async def test_many_who_miss_at_once_ask_once():
    server = Server(**{"/apis/apps/v1": APPS})
    discovery = Discovery(server)

    await asyncio.gather(*[discovery.resource("apps/v1", "Deployment") for _ in range(20)])

    assert len(server.paths) == 1


async def test_a_miss_is_asked_for_again_because_kinds_are_born():
    server = Server()
    discovery = Discovery(server)
    with pytest.raises(UnregisteredKind, match=r"does not offer Widget in ex\.dev/v1; it offers no kind at all"):
        await discovery.resource("ex.dev/v1", "Widget")

    server.groups["/apis/ex.dev/v1"] = [{"name": "widgets", "kind": "Widget", "namespaced": True}]
    await asyncio.sleep(2)

    assert (await discovery.resource("ex.dev/v1", "Widget")).plural == "widgets"


async def test_misses_do_not_storm_the_server():
    server = Server(**{"/apis/apps/v1": APPS})
    discovery = Discovery(server)
    for _ in range(50):
        with pytest.raises(UnregisteredKind, match="it offers Deployment"):
            await discovery.resource("apps/v1", "Nonsense")

    assert len(server.paths) == 1


async def test_an_answer_that_is_none_is_told():
    with pytest.raises(ProtocolError, match="not a list of resources"):
        await Discovery(Server(**{"/apis/apps/v1": b"<html>"})).resource("apps/v1", "Deployment")
