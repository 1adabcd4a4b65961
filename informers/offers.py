"""Whether a server streams lists is asked once for each client, however many feeds of it begin together.

The answer is the client's `streaming_lists`. A server that cannot be asked, or does not know its own release, is tried.
"""

import asyncio
from typing import Final
from weakref import WeakKeyDictionary

import msgspec

from windlass.informers import requests
from windlass.informers.client import Client
from windlass.informers.errors import InformersError

__all__ = ("learn_streaming",)

PROBE_SECONDS: Final = 5.0
STREAMING_SINCE: Final = (1, 27)  # the first release that knows sendInitialEvents at all

_asked: WeakKeyDictionary[Client, asyncio.Future[None]] = WeakKeyDictionary()
"""While somebody asks; cancelled when he was cut short."""


class _Version(msgspec.Struct):
    major: str
    minor: str


_VERSION = msgspec.json.Decoder(_Version)


async def learn_streaming(client: Client) -> None:
    """Set `client.streaming_lists` if it is not known, unless the server does not say; 5 s at most."""
    while client.streaming_lists is None:
        asked = _asked.get(client)
        if asked is None:
            await _ask(client)
            return
        await asyncio.wait((asked,))
        if not asked.cancelled():
            return


async def _ask(client: Client) -> None:
    asked = _asked[client] = asyncio.get_running_loop().create_future()
    try:
        offered = await _offered(client)
        if client.streaming_lists is None:
            client.streaming_lists = offered
        asked.set_result(None)
    finally:
        del _asked[client]
        asked.cancel()  # as long as there is no result


async def _offered(client: Client) -> bool | None:
    """By its release; None when there is no telling."""
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            answer = (await client.send(requests.raw_get("/version"), retries=0)).body
        release = _VERSION.decode(answer)
        return (int(release.major), int(release.minor.rstrip("+"))) >= STREAMING_SINCE
    except (InformersError, TimeoutError, ValueError, msgspec.DecodeError):  # bad UTF-8 is a ValueError
        return None
