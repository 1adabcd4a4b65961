"""Eight programs that write one object's status at the same time, and a count of what got lost.

In a round each writer sets the condition that is its own. Half of them also raise a counter that they share, and decide
anew after a conflict; the other half leave conflicts to `ctx.status(..., on_conflict="retry")`. When all have been
answered, the object must show every one of them.
"""

import asyncio
import contextlib
import logging
import time
import uuid
from types import SimpleNamespace
from typing import Any

import attrs

from windlass.controller.context import Context, Services
from windlass.controller.request import Request
from windlass.controller.scheme import Scheme
from windlass.controller.settings import utc_now
from windlass.informers.api import Api
from windlass.informers.builtins import CustomResourceDefinition, Namespace
from windlass.informers.cache import Cache
from windlass.informers.errors import AlreadyExists, Conflict, NotFound
from windlass.informers.keys import Key
from windlass.informers.typed import CustomResource
from windlass.manifests import crd, kind
from windlass.statemachine.conditions import Condition, Conditions

__all__ = ("WRITERS", "Tally", "define", "write_rounds")

WRITERS = 8


@attrs.frozen
class SlateSpec:
    """Nothing is asked for."""


@attrs.frozen
class SlateStatus:
    """What eight hands have written."""

    count: int = 0
    conditions: tuple[Condition, ...] = ()


@kind("tests.windlass.dev/v1")
@attrs.frozen
class Slate(CustomResource):
    """Something that many write on."""

    spec: SlateSpec = SlateSpec()
    status: SlateStatus = SlateStatus()


SLATE: Any = Slate.__windlass_resource__


@attrs.define
class Tally:
    """What came of it. `lost` names the writer and round of each update that was acknowledged and is gone."""

    rounds: int = 0
    conflicts: int = 0
    lost: list[str] = attrs.field(factory=list)
    seconds: float = 0.0


async def define(api: Api) -> Key:
    """A server that serves the kind, and a new object of it."""
    with contextlib.suppress(AlreadyExists):
        await api.create(CustomResourceDefinition, crd(Slate))
    namespace = f"writers-{uuid.uuid4().hex[:8]}"
    await api.create(Namespace, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    body = {"apiVersion": "tests.windlass.dev/v1", "kind": "Slate", "metadata": {"name": "one", "namespace": namespace}}
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(NotFound):
                await api.create(SLATE, {**body, "spec": {}})
                return Key(namespace, "one")
            await asyncio.sleep(0.1)


async def write_rounds(api: Api, key: Key, rounds: int) -> Tally:
    """Write `rounds` times with each of the writers, all at once in each round."""
    tally = Tally()
    services = Services(Cache(api.client), Scheme([Slate]), SimpleNamespace(), "tests", utc_now)  # type: ignore[arg-type]
    ctx = Context(Request(key), logging.LoggerAdapter(logging.getLogger("tests")), api, services)
    began = time.monotonic()
    for number in range(1, rounds + 1):
        await asyncio.gather(*(_write(ctx, key, writer, tally) for writer in range(WRITERS)))
        status = (await api.get(SLATE, key)).as_(Slate).status
        tally.rounds = number
        seen = {one.type: one.message for one in status.conditions}
        for writer in range(WRITERS):
            if seen.get(f"Writer{writer}") != str(number):
                tally.lost.append(
                    f"writer {writer} in round {number}: its condition says {seen.get(f'Writer{writer}')}"
                )
        if status.count != number * WRITERS // 2:
            tally.lost.append(f"round {number}: the counter says {status.count}")
    tally.seconds = time.monotonic() - began
    return tally


async def _write(ctx: Context, key: Key, writer: int, tally: Tally) -> None:
    number = str(tally.rounds + 1)
    counts = writer % 2 == 0
    while True:
        slate = (await ctx.api.get(SLATE, key)).as_(Slate)
        mine = Condition(f"Writer{writer}", "True" if int(number) % 2 else "False", "Wrote", number)
        conditions = tuple(Conditions.of(slate.status.conditions).set(mine, now=utc_now()))
        try:
            if counts:
                await ctx.status(slate, count=slate.status.count + 1, conditions=conditions)
            else:
                await ctx.status(slate, conditions=conditions, on_conflict="retry")
        except Conflict:
            tally.conflicts += 1
        else:
            return
