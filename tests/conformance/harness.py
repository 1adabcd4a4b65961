"""One case of the suite, its room on a server, and the raw client it speaks through; no code of ours is in between.

A case is a coroutine that takes an `Api` and asserts. `case` makes of it a test that runs on every server, in a
namespace of its own. Answers are compared by code, reason, details and fields; messages are prose and are left out.
"""

import asyncio
import base64
import contextlib
import copy
import functools
import io
import json
import secrets
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import attrs
import multidict
import pytest
from conformance.absences import absence
from servers import EVERY_SERVER, called_back_at, open_server

LIMIT_SECONDS = 180.0  # for one case
SERVERS = EVERY_SERVER
# The container runs the programs of `kubernetes`, so that a part of the cases tells whether its path is sound.
CONTAINER_SHARE = 20  # every twentieth; 1 with --conformance-whole
# Until something that a controller does must have happened. The real garbage collector stands still for half a minute
# and more while it learns of kinds that come and go, as they do in this suite.
WAIT_SECONDS = 75.0
POLL_SECONDS = 0.03
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
DEFINITION_API = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
JSON = "application/json"
PATCHES = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}
VOLATILE = ("uid", "resourceVersion", "creationTimestamp", "managedFields", "namespace", "selfLink")


@attrs.frozen
class Answer:
    """What came back; `body` is the JSON document, or the text if it is none."""

    code: int
    headers: Any
    body: Any

    @property
    def refusal(self) -> dict[str, Any]:
        """A Status without its prose, and without what is empty."""
        if not isinstance(self.body, dict):
            return {"code": self.code}
        assert self.body.get("kind") == "Status", self.body
        assert self.body.get("code", self.code) == self.code
        found = {"code": self.code, "reason": self.body.get("reason"), "details": _wordless(self.body.get("details"))}
        return {name: part for name, part in found.items() if part}

    @property
    def causes(self) -> list[tuple[str, str]]:
        """The reason and the field of each cause, in the order of the fields."""
        causes = (self.body.get("details") or {}).get("causes") or []
        found = {(cause.get("reason", ""), cause.get("field", "")) for cause in causes}
        return sorted(found, key=lambda one: one[::-1])

    @property
    def version(self) -> str:
        return self.body["metadata"]["resourceVersion"]


def _wordless(details: Any) -> dict[str, Any]:
    found = dict(details or {})
    if "causes" in found:
        found["causes"] = [{name: one[name] for name in ("reason", "field") if name in one} for one in found["causes"]]
    return found


def stable(obj: dict[str, Any]) -> dict[str, Any]:
    """An object without what differs from run to run."""
    return obj | {"metadata": {name: part for name, part in obj["metadata"].items() if name not in VOLATILE}}


def names(answer: Answer) -> list[str]:
    """The names of a list's items."""
    assert answer.code == 200, answer.body
    return [item["metadata"]["name"] for item in answer.body["items"]]


def widget(name: str = "a", spec: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    """An object of the suite's own kind."""
    body = {"apiVersion": "conformance.dev/v1", "kind": "Widget", "metadata": {"name": name} | metadata}
    return body | {"spec": {"replicas": 3} if spec is None else spec}


def config_map(name: str = "a", data: dict[str, str] | None = None, **metadata: Any) -> dict[str, Any]:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name} | metadata}
    return body if data is None else body | {"data": data}


def pod(name: str = "a", *containers: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    spec = {"containers": list(containers) or [{"name": "main", "image": "one"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name} | metadata, "spec": spec}


def manager_of(obj: dict[str, Any], name: str) -> dict[str, Any] | None:
    """The fields that a manager owns."""
    entries = [entry for entry in obj["metadata"].get("managedFields") or [] if entry["manager"] == name]
    return entries[0]["fieldsV1"] if entries else None


class Watch:
    """An open watch."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def next(self, seconds: float = WAIT_SECONDS) -> dict[str, Any] | None:
        """The next event, None at the clean end."""
        async with asyncio.timeout(seconds):
            line = await self.response.content.readline()
        return json.loads(line) if line else None

    async def take(self, count: int) -> list[dict[str, Any]]:
        found = [await self.next() for _ in range(count)]
        assert None not in found, found
        return found

    async def seen(self, count: int) -> list[tuple[str, str]]:
        """The types and names of the next events."""
        return [(one["type"], one["object"]["metadata"]["name"]) for one in await self.take(count)]

    async def rest(self) -> list[dict[str, Any]]:
        """Every event until the end."""
        found = []
        while (event := await self.next()) is not None:
            found.append(event)
        return found


class Api:
    """A client for one case: the paths of its namespace, the verbs, and what it takes to wait."""

    def __init__(self, kind: str, server: Any, session: aiohttp.ClientSession) -> None:
        self.kind = kind
        self.server = server
        self.called_back_at = called_back_at(server)
        self.token = server.kubeconfig()["users"][0]["user"].get("token", "")
        self.namespace = f"c-{secrets.token_hex(5)}"
        self._session = session
        self._headers: list[tuple[str, str]] = []
        self.widgets = f"/apis/conformance.dev/v1/namespaces/{self.namespace}/widgets"
        self.config_maps = self.core("configmaps")

    def core(self, plural: str) -> str:
        """The path of a core collection in the case's namespace."""
        return f"/api/v1/namespaces/{self.namespace}/{plural}"

    def acting(self, user: str, *groups: str) -> "Api":
        """The same client in the place of another user."""
        other = copy.copy(self)
        other._headers = [("Impersonate-User", user), *(("Impersonate-Group", group) for group in groups)]
        return other

    def bearing(self, token: str) -> "Api":
        """The same client with another token."""
        other = copy.copy(self)
        other.token, other._headers = token, []
        return other

    def since(self, minor: int, now: Any, before: Any) -> Any:
        """What Kubernetes answers from version 1.`minor` on, or what it answered before."""
        return before if self.kind != "embedded" and minor > 20 else now

    async def request(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        """`options`: `query`, `content_type`, `headers`; a body of bytes is sent as it is."""
        async with self.open(method, path, body, **options) as response:
            raw = await response.read()
            document = json.loads(raw) if response.content_type == JSON else raw.decode(errors="replace")
            return Answer(response.status, response.headers, document)

    def open(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Any = None,
        content_type: str = JSON,
        headers: dict[str, str] | None = None,
    ) -> Any:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        data = data if data is None else io.BytesIO(data)  # aiohttp warns of large bodies that are plain bytes
        sent = {"Authorization": f"Bearer {self.token}", "User-Agent": "conformance/1"}
        sent |= {"Content-Type": content_type} if data is not None else {}
        sent |= headers or {}
        sent = multidict.CIMultiDict({name: value for name, value in sent.items() if value})
        sent.extend(self._headers)
        url = self.server.url + path
        return self._session.request(method, url, data=data, params=query, headers=sent, ssl=_trust(self.server))

    async def get(self, path: str, **query: str) -> Answer:
        return await self.request("GET", path, query=query)

    async def create(self, path: str, body: Any, **query: str) -> Answer:
        return await self.request("POST", path, body, query=query)

    async def made(self, path: str, body: Any, **query: str) -> dict[str, Any]:
        """Create an object that must be fine, and return it."""
        answer = await self.create(path, body, **query)
        assert answer.code == 201, answer.body
        return answer.body

    async def put(self, path: str, body: Any, **query: str) -> Answer:
        return await self.request("PUT", path, body, query=query)

    async def merge(self, path: str, patch: Any, **query: str) -> Answer:
        return await self.request("PATCH", path, patch, query=query, content_type=PATCHES["merge"])

    async def strategic(self, path: str, patch: Any, **query: str) -> Answer:
        return await self.request("PATCH", path, patch, query=query, content_type=PATCHES["strategic"])

    async def json_patch(self, path: str, *operations: Any, **query: str) -> Answer:
        return await self.request("PATCH", path, list(operations), query=query, content_type=PATCHES["json"])

    async def apply(self, path: str, body: Any, manager: str = "one", **query: str) -> Answer:
        query |= {"fieldManager": manager} if manager else {}
        return await self.request("PATCH", path, body, query=query, content_type=PATCHES["apply"])

    async def delete(self, path: str, options: Any = None, **query: str) -> Answer:
        return await self.request("DELETE", path, options, query=query)

    @contextlib.asynccontextmanager
    async def watch(self, path: str, accept: str = "", **query: str) -> AsyncIterator[Watch]:
        query = {"watch": "1", "timeoutSeconds": "20"} | query
        headers = {"Accept": accept} if accept else {}
        async with self.open("GET", path, query=query, headers=headers) as response:
            assert response.status == 200, await response.text()
            yield Watch(response)

    async def until(self, ask: Callable[[], Awaitable[Any]], seconds: float = WAIT_SECONDS) -> Any:
        """Ask again and again until the answer is true, and return it."""
        answer = None
        try:
            async with asyncio.timeout(seconds):
                while not (answer := await ask()):  # noqa: ASYNC110 - a server tells nobody that a controller has acted
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            pytest.fail(f"not within {seconds:.0f} s; the last answer: {answer}")
        return answer

    async def gone(self, path: str, seconds: float = WAIT_SECONDS) -> None:
        """Wait until nothing is there."""

        async def absent() -> bool:
            return (await self.get(path)).code == 404

        await self.until(absent, seconds)

    async def define(self, schema: Any = None, *, version: Any = None, **spec: Any) -> "Kind":
        """Make a kind of the case's own and wait until it is served."""
        kind = Kind.of(f"t{secrets.token_hex(4)}", schema, version=version, **spec)
        await self.establish(kind.definition)
        return attrs.evolve(kind, namespace=self.namespace)

    async def establish(self, definition: dict[str, Any]) -> None:
        answer = await self.create(CRDS, definition)
        assert answer.code in (201, 409), answer.body
        spec = definition["spec"]
        served = [version["name"] for version in spec["versions"] if version["served"]]
        for version in served:
            path = f"/apis/{spec['group']}/{version}/{spec['names']['plural']}"

            async def found(path: str = path) -> bool:
                return (await self.get(path)).code == 200

            await self.until(found)


@attrs.frozen
class Kind:
    """A kind made for one case."""

    definition: dict[str, Any]
    namespace: str = ""

    @classmethod
    def of(cls, plural: str, schema: Any = None, *, version: Any = None, **spec: Any) -> "Kind":
        group = spec.pop("group", "own.conformance.dev")
        names = {"plural": plural, "kind": plural.capitalize()} | spec.pop("names", {})
        one = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema or FREE}}
        body = {"group": group, "scope": "Namespaced", "names": names, "versions": [one | (version or {})]} | spec
        return cls(DEFINITION_API | {"metadata": {"name": f"{plural}.{group}"}, "spec": body})

    @property
    def group(self) -> str:
        return self.definition["spec"]["group"]

    @property
    def plural(self) -> str:
        return self.definition["spec"]["names"]["plural"]

    @property
    def crd(self) -> str:
        return f"{CRDS}/{self.plural}.{self.group}"

    def path(self, version: str = "v1") -> str:
        if self.definition["spec"]["scope"] == "Cluster":
            return f"/apis/{self.group}/{version}/{self.plural}"
        return f"/apis/{self.group}/{version}/namespaces/{self.namespace}/{self.plural}"

    def body(self, name: str = "a", *, version: str = "v1", **fields: Any) -> dict[str, Any]:
        kind = self.definition["spec"]["names"]["kind"]
        return {"apiVersion": f"{self.group}/{version}", "kind": kind, "metadata": {"name": name}} | fields


FREE = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_ITEM = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string"},
        "value": {"type": "integer"},
        "note": {"type": "string"},
        "inner": {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}},
    },
}
_SPEC = {
    "type": "object",
    "properties": {
        "replicas": {"type": "integer", "minimum": 0, "maximum": 10},
        "mode": {"type": "string", "enum": ["fast", "slow"], "default": "fast"},
        "text": {"type": "string"},
        "selector": {"type": "string"},
        "plain": {"type": "array", "items": {"type": "string"}},
        "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "items": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": _ITEM,
        },
        "map": {"type": "object", "additionalProperties": {"type": "string"}},
        "atom": {
            "type": "object",
            "x-kubernetes-map-type": "atomic",
            "additionalProperties": {"type": "string"},
        },
        "nested": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}},
    },
}
_STATUS = {
    "type": "object",
    "properties": {
        "phase": {"type": "string"},
        "replicas": {"type": "integer"},
        "conditions": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
            "items": {
                "type": "object",
                "required": ["type"],
                "properties": {"type": {"type": "string"}, "status": {"type": "string"}},
            },
        },
    },
}
WIDGETS = Kind.of(
    "widgets",
    {"type": "object", "properties": {"spec": _SPEC, "status": _STATUS}},
    group="conformance.dev",
    names={"kind": "Widget", "shortNames": ["wd"], "categories": ["all", "conformance"]},
    version={
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".spec.selector",
            },
        },
        "additionalPrinterColumns": [
            {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas", "description": "How many."},
            {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
            {"name": "Mode", "type": "string", "jsonPath": ".spec.mode", "priority": 1},
            {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        ],
    },
)


@functools.cache
def _authority(data: str) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=base64.b64decode(data).decode())


def _trust(server: Any) -> ssl.SSLContext | bool:
    data = server.kubeconfig()["clusters"][0]["cluster"].get("certificate-authority-data")
    return _authority(data) if data else True


class Bench:
    """The servers, each started at its first use, and the one loop on which every case of the process runs.

    One loop, because connections live as long as their loop, and most of a short case would go into making them.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stack = contextlib.AsyncExitStack()
        self._servers: dict[str, tuple[Any, aiohttp.ClientSession]] = {}
        self._shared: set[tuple[str, str]] = set()

    def run(self, kind: str, play: Callable[[Api], Awaitable[None]]) -> None:
        """Play a case on a server, within the limit."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(self._played(kind, play))

    def close(self) -> None:
        """Stop the servers."""
        if self._loop is not None:
            self._loop.run_until_complete(self._stack.aclose())
            self._loop.close()

    async def share(self, api: Api, kind: Kind) -> Kind:
        """A kind that several cases use, made once on a server."""
        place = (api.kind, kind.crd)
        if place not in self._shared:
            await api.establish(kind.definition)
            self._shared.add(place)
        return attrs.evolve(kind, namespace=api.namespace)

    async def _played(self, kind: str, play: Callable[[Api], Awaitable[None]]) -> None:
        async with asyncio.timeout(LIMIT_SECONDS):
            if kind not in self._servers:
                server = await self._stack.enter_async_context(open_server(kind))
                session = await self._stack.enter_async_context(aiohttp.ClientSession())
                self._servers[kind] = (server, session)
            api = Api(kind, *self._servers[kind])
            await self.share(api, WIDGETS)
            await api.made("/api/v1/namespaces", {"metadata": {"name": api.namespace}})
            await play(api)


BENCH = Bench()
share = BENCH.share


def _servers(name: str, row: str) -> tuple[str, ...]:
    """Where a case runs. Which ones run in the container as well does not change from run to run."""
    chosen = zlib.crc32(f"{name}[{row}]".encode()) % CONTAINER_SHARE == 0
    return SERVERS if chosen else tuple(server for server in SERVERS if server != "container")


def case(*statements: str, rows: dict[str, tuple[Any, ...]] | None = None) -> Callable[[Any], Any]:
    """Make a test of a coroutine `(api, *row)`: one on each server, for each row.

    `statements` name what it holds, by the ids of the reference. `rows` maps a sentence to the arguments.
    """

    def decorate(function: Callable[..., Awaitable[None]]) -> Any:
        named = rows or {"": ()}

        def run(server: str, row: str) -> None:
            missing = absence(function.__name__, row) if server != "embedded" else ""
            if missing:
                pytest.skip(missing)
            BENCH.run(server, lambda api: function(api, *named[row]))

        run.__name__ = run.__qualname__ = function.__name__
        run.__doc__, run.__module__ = function.__doc__, function.__module__
        run.statements, run.rows = statements, tuple(named)
        arguments = [(server, name) for name in named for server in _servers(function.__name__, name)]
        ids = [f"{name}-{server}" if name else server for server, name in arguments]
        return pytest.mark.parametrize(("server", "row"), arguments, ids=ids)(run)

    return decorate
