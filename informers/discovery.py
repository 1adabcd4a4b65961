"""Discovery turns a group, version and kind into a Resource: it asks the server once, and again when it does not know.

A kind may be younger than the last answer, so a miss is asked for again (at most every `refresh_seconds`) before it is
an error. This module does not know caches of objects.
"""

import asyncio

import msgspec

from windlass.informers import requests
from windlass.informers.client import Client
from windlass.informers.errors import NotFound, ProtocolError, UnregisteredKind
from windlass.informers.resources import Resource

__all__ = ("Discovery",)


class _Entry(msgspec.Struct):
    name: str
    kind: str
    namespaced: bool
    verbs: list[str] = msgspec.field(default_factory=list)


class _Entries(msgspec.Struct):
    resources: list[_Entry] = msgspec.field(default_factory=list)


_DECODER = msgspec.json.Decoder(_Entries)


class Discovery:
    """The kinds a server offers, by group and version, remembered."""

    def __init__(self, client: Client, *, refresh_seconds: float = 1.0) -> None:
        self._client = client
        self._refresh_seconds = refresh_seconds
        self._known: dict[str, dict[str, Resource]] = {}
        self._asked_at: dict[str, float] = {}
        self._lock = asyncio.Lock()

    async def resource(self, api_version: str, kind: str) -> Resource:
        """The resource of a kind, as `resource("apps/v1", "Deployment")`.

        Raises UnregisteredKind when the server does not offer it, naming what it does offer; and as `Client.send` does.
        """
        found = self._known.get(api_version, {}).get(kind)
        if found is None:
            async with self._lock:  # many may miss at once; one question is enough
                found = self._known.get(api_version, {}).get(kind)
                if found is None and self._may_ask(api_version):
                    await self._ask(api_version)
                    found = self._known[api_version].get(kind)
        if found is None:
            offered = ", ".join(sorted(self._known.get(api_version, {}))) or "no kind at all"
            server = self._client.cluster.server
            raise UnregisteredKind(f"{server} does not offer {kind} in {api_version}; it offers {offered}")
        return found

    async def resources(self, api_version: str) -> tuple[Resource, ...]:
        """Every kind of a group and version, asked for now."""
        async with self._lock:
            await self._ask(api_version)
        return tuple(self._known[api_version].values())

    def _may_ask(self, api_version: str) -> bool:
        now = asyncio.get_running_loop().time()
        return now - self._asked_at.get(api_version, float("-inf")) >= self._refresh_seconds

    async def _ask(self, api_version: str) -> None:
        group, _, version = api_version.rpartition("/")
        request = requests.raw_get(f"/apis/{group}/{version}" if group else f"/api/{version}")
        self._asked_at[api_version] = asyncio.get_running_loop().time()
        try:
            body = (await self._client.send(request)).body
        except NotFound:
            self._known[api_version] = {}
            return
        try:
            entries = _DECODER.decode(body).resources
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ProtocolError(f"{request.what}: not a list of resources ({error}): {body[:120]!r}") from error
        self._known[api_version] = {
            entry.kind: Resource(group, version, entry.kind, entry.name, entry.namespaced)
            for entry in entries
            if "/" not in entry.name  # subresources are listed beside their resource (T-03)
        }

    def __repr__(self) -> str:
        return f"<Discovery {self._client.cluster.server} groups={len(self._known)}>"
