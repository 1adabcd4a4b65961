"""What a call asks for beside its message is known, and judged, before the message is read.

The metadata that every call may carry, the deadline of its client, and the caller. The library would read a message
first and call us then: a caller who is refused could make us hold as many messages as he has calls. So a method is
registered as one that reads its request itself, which is the same on the wire.
"""

import asyncio
from typing import Any

import grpc
from multidict import CIMultiDict

from windlass.serving.access.access import Presented
from windlass.serving.batching.ask import Ask, ask
from windlass.serving.errors import BadRequest, BodyTooSlow

__all__ = ("metadata", "presented", "read", "wish")


def metadata(context: Any) -> CIMultiDict[str]:
    """The call's metadata as headers; what is not text is left out."""
    pairs = context.invocation_metadata() or ()
    return CIMultiDict((key, value) for key, value in pairs if isinstance(value, str))


def presented(context: Any, headers: CIMultiDict[str]) -> Presented:
    """What shows who calls: the metadata `authorization`, and the common name in a verified certificate."""
    # In one certificate the library lists names in their order; Python takes the last for it, too.
    names = context.auth_context().get("x509_common_name") or ()
    certificate = list(names)[-1].decode(errors="replace") if names else None
    return Presented(headers.get("authorization"), certificate)


async def read(context: Any, *, seconds: float) -> bytes:
    """The one message of a call. Raises BodyTooSlow, and BadRequest when there is none."""
    try:
        async with asyncio.timeout(seconds):
            raw = await context.read()
    except TimeoutError as error:
        raise BodyTooSlow("the message did not arrive in time") from error
    if raw is grpc.aio.EOF:
        raise BadRequest("the call has no message")
    assert isinstance(raw, bytes)
    return raw


def wish(context: Any, headers: CIMultiDict[str], *, timeout_seconds: float) -> Ask:
    """The wish of a call; the client's deadline can shorten the server's, never lengthen it (DB18)."""
    left = context.time_remaining()
    seconds = timeout_seconds if left is None else min(timeout_seconds, left)
    return ask(headers, asyncio.get_running_loop().time(), timeout_seconds=seconds)
