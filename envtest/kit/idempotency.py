"""An operator is idempotent when, woken again at its end state, it changes nothing more, however it is woken.

After the first way to the end it is woken several times over: every object gets a fresh resource version, in shuffled
order, every second time the operator is started anew, and then every key is worked again, in shuffled order. Each of
its requests is looked at: a write is a no-op when the server answers with the resource version that the object had, or
refuses it. What the operator reports about itself (Events, Leases) does not count.
"""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, overload

import attrs
import msgspec

from windlass.controller.controller import Controller
from windlass.controller.request import Reconciler
from windlass.envtest.errors import NotIdempotent, TrialError
from windlass.envtest.kit.calls import Call
from windlass.envtest.kit.endstate import BOOKKEEPING, TOUCH, EndState, read_objects
from windlass.envtest.kit.functions import trial_of
from windlass.envtest.kit.lives import Life
from windlass.envtest.kit.trial import Operator, Stage, Trial, open_stage
from windlass.envtest.kit.wires import Replayed, body_of
from windlass.informers import requests
from windlass.informers.client import Stream
from windlass.informers.errors import NotFound
from windlass.informers.keys import Key
from windlass.informers.requests import PatchType, Request
from windlass.informers.resources import Resource
from windlass.informers.store import Added
from windlass.informers.typed import CustomResource
from windlass.informers.wire import Onward

__all__ = ("assert_idempotent",)


@overload
async def assert_idempotent(trial: Trial, /, *, runs: int = 3, seed: int | None = None) -> EndState: ...


@overload
async def assert_idempotent(
    reconcile: Reconciler, obj: CustomResource, /, *, runs: int = 3, seed: int | None = None
) -> EndState: ...


async def assert_idempotent(
    tried: Trial | Reconciler, obj: CustomResource | None = None, /, *, runs: int = 3, seed: int | None = None
) -> EndState:
    """Bring the operator to its end state, wake it `runs` times with nothing to do, and return the state.

    What is tried is a Trial, or a reconcile function and one object of its kind, with an embedded server of their own.
    `seed` is that of the shuffled orders; a failure names it.

    Raises NotIdempotent with the diff of the state (effects among it) and the requests that were no no-ops; NeverAtRest
    when the operator does not come to rest; TrialError for a trial that cannot begin.
    """
    __tracebackhide__ = True  # of pytest: the message says more
    if runs < 1:
        raise ValueError(f"assert_idempotent: expected runs >= 1, found {runs}")
    if not isinstance(tried, Trial):
        async with trial_of(tried, obj) as trial:
            return await _shown(trial, runs, seed)
    if obj is not None:
        raise TrialError(
            f"assert_idempotent: a Trial has its objects already; expected nothing beside it, found {obj!r}"
        )
    return await _shown(tried, runs, seed)


async def _shown(trial: Trial, runs: int, seed: int | None) -> EndState:
    """The end state that an idempotent operator keeps."""
    __tracebackhide__ = True
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    rng = random.Random(seed)  # noqa: S311  # an order, no secret
    async with open_stage(trial) as stage:
        ledger = _Ledger(stage)
        operator = stage.start(Life(), ledger)
        await stage.end_reached(operator)
        if trial.then is not None:
            await trial.then(stage.api, stage.namespace)
            await stage.end_reached(operator)
        expected = await stage.end_state()
        for run in range(1, runs + 1):
            ledger.open()
            touched = await _touch(stage, rng)
            if run % 2 == 0:
                await operator.stop()
                operator = stage.start(Life(), ledger)
                await stage.end_reached(operator)
            _wake(operator, rng)
            await stage.end_reached(operator)
            # A no-op may be answered with the version that a touch had made a moment before.
            changes = [change for change in ledger.close() if change.after not in touched]
            difference = expected.difference(await stage.end_state())
            if difference or changes:
                raise NotIdempotent(_message(stage, f"run {run} of {runs}, seed {seed}", difference, changes))
        return expected


async def _touch(stage: Stage, rng: random.Random) -> set[str]:
    """Give every object a fresh resource version; returns these."""
    found = await read_objects(stage.api.client, stage.namespace, stage.addresses)
    rng.shuffle(found)
    patch = msgspec.json.encode({"metadata": {"annotations": {TOUCH: f"{rng.getrandbits(64):x}"}}})
    versions = set()
    for (group, version, plural), item in found:
        resource = Resource(group, version, item.get("kind", ""), plural)
        key = Key(stage.namespace, item["metadata"]["name"])
        answer = await stage.api.client.send(requests.patch(resource, key, patch, type=PatchType.MERGE))
        versions.add(str(_metadata(answer.body)["resourceVersion"]))
    return versions


def _wake(operator: Operator, rng: random.Random) -> None:
    """Have every key worked again that a new object's arrival would wake."""
    wakes: list[tuple[Controller, Key]] = []
    for controller in operator.manager.controllers:
        own = controller.spec.watches[0]
        wakes += [
            (controller, one.key)
            for one in sorted(operator.manager.cache.list(own.resource), key=lambda found: found.key)
            if all(predicate(Added(one, initial=True)) for predicate in own.predicates)
        ]
    rng.shuffle(wakes)
    for controller, key in wakes:
        controller.queue.add(key, reason="woken")


@attrs.frozen
class _Change:
    """A write that was no no-op, and the object's resource version before and after; "" when there was no object."""

    call: Call
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.call} (resource version {self.before or 'none'} -> {self.after or 'none'})"


class _Ledger:
    """While it is open, looks at each write of the operator: what was there before, and what the server answered."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._changes: list[_Change] | None = None

    def open(self) -> None:
        """Look from now on."""
        self._changes = []

    def close(self) -> list[_Change]:
        """Look no more; what has been seen."""
        changes, self._changes = self._changes or [], None
        return changes

    @asynccontextmanager
    async def carry(self, request: Request, onward: Onward) -> AsyncIterator[Stream]:
        call = Call.of(request)
        if call.writes and call.namespace == self._stage.namespace:
            self._stage.addresses.add((call.group, call.version, call.plural))
        changes = self._changes
        if changes is None or not call.writes or _reports(call) or ("dryRun", "All") in request.query:
            async with onward() as stream:
                yield stream
            return
        before = await self._before(request, call)
        async with onward() as stream:
            body = await body_of(stream)
            after = _metadata(body).get("resourceVersion", "")
            if _changed(call, before, after):
                changes.append(_Change(call, before.get("resourceVersion", ""), after))
            yield attrs.evolve(stream, content=Replayed([body]))

    async def _before(self, request: Request, call: Call) -> dict[str, Any]:
        """The metadata of the object that the request is about to change; empty when there is none."""
        if not call.name:
            return {}
        path = request.path.removesuffix(f"/{call.subresource}") if call.subresource else request.path
        try:
            answer = await self._stage.api.client.send(requests.raw_get(path))
        except NotFound:
            return {}
        return _metadata(answer.body)


def _changed(call: Call, before: dict[str, Any], after: str) -> bool:
    if call.verb == "delete":  # some answers hold the object as it was, so its version says nothing
        return "deletionTimestamp" not in before
    return call.verb in ("create", "deletecollection") or before.get("resourceVersion") != after


def _reports(call: Call) -> bool:
    return (call.group, call.plural) in BOOKKEEPING


def _metadata(body: bytes) -> dict[str, Any]:
    value = msgspec.json.decode(body)
    metadata = value.get("metadata") if isinstance(value, dict) else None
    return metadata if isinstance(metadata, dict) else {}


def _message(stage: Stage, when: str, difference: str, changes: list[_Change]) -> str:
    parts = [f"woken at its end state with nothing to do ({when}), the operator did something"]
    if changes:
        parts += ["requests that were no no-ops:", *(f"  {change}" for change in changes)]
    if difference:
        parts += ["what differs from the end state:", difference]
    return "\n".join(parts).replace(stage.namespace, "<namespace>")
