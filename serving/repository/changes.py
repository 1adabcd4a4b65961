"""A change to what serves is made whole or not at all, and never two at once: the caller sees to the latter.

Performs what `plan.py` decides: loads beside what serves, swaps by one assignment, lets go of what is retired, makes
room. Whatever fails is remembered with its reason and changes nothing else.
"""

import asyncio
import logging
import time
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

import attrs

from windlass.serving.errors import ModelError, NotReady
from windlass.serving.model import Closable, Hold, Model
from windlass.serving.repository.budget import evictions
from windlass.serving.repository.catalogue import Catalogue
from windlass.serving.repository.counts import Counts
from windlass.serving.repository.description import Description
from windlass.serving.repository.loading import Job, Warmed, close, load, warm
from windlass.serving.repository.memory import Memory
from windlass.serving.repository.options import RepositoryOptions
from windlass.serving.repository.plan import Action, Failure, Found, Load, Retire, Slot, Unload, plan
from windlass.serving.repository.threads import in_background, in_thread

__all__ = ("Changes", "close_later")

T = TypeVar("T")

_log = logging.getLogger(__name__)

# How long a load waits for evicted models to be let go by their last requests.
_FREED_SECONDS = 10.0


class _NoRoom(ModelError):
    """The memory budget has no room; it may have later."""


class Changes:
    """The one who changes `catalogue` and `memory`. `added` are names that belong to models added in code."""

    def __init__(self, path: Path, *, options: RepositoryOptions, added: Collection[str]) -> None:
        self.path = path
        self.formats = options.formats
        self.options = options
        self.catalogue = Catalogue()
        self.memory = Memory()
        self.counts = Counts()
        self.pinned: set[str] = set()
        self._added = added
        # What serves, as described: a folder that was only touched is not loaded again (W8).
        self._described: dict[tuple[str, int], Description] = {}

    def __repr__(self) -> str:
        return f"<Changes to {self.catalogue!r}>"

    async def bring_in_line(self, found: dict[str, frozenset[Found]]) -> None:
        """Load and unload until what serves is what the plan says."""
        ready = -1
        # What came may be what an ensemble waits for: passing failures are tried again until nothing more comes.
        while ready != self.counts.ready.total():
            ready = self.counts.ready.total()
            # When a version fails the next lower one may be due, so plan again until nothing is left to do.
            actions = plan(self.catalogue.slots, found, retry=True)
            while actions:
                for action in actions:
                    await self._perform(action)
                actions = plan(self.catalogue.slots, found)

    async def _perform(self, action: Action) -> None:
        match action:
            case Unload(name):
                self.unload(name)
            case Retire(name, version):
                self._retire(name, version)
            case Load(name, one):
                await self._load(name, one)

    async def demand(self, name: str, found: Found) -> None:
        """Load an evicted version again; what comes of it is in the catalogue."""
        if self.catalogue.evicted(name, str(found.version)) == found:
            if self.catalogue.moves(name, found, "demand"):
                self.catalogue.move(name, found, "demand")
            await self._load(name, found)

    def unload(self, name: str) -> None:
        """Nothing of the name serves any more."""
        slot = self.catalogue.slots.get(name, Slot())
        for version in list(slot.serving):
            self._retire(name, version)
        if name not in self._added:
            self.catalogue.forget(name)
            _log.info("model %s: unloaded", name)
        else:
            self.catalogue.slots.pop(name, None)

    def _retire(self, name: str, version: int) -> None:
        slot = self.catalogue.slots[name]
        found = slot.serving[version]
        self.catalogue.slots[name] = attrs.evolve(slot, serving=_without(slot.serving, version))
        self.catalogue.retire(name, found, self.catalogue.loaded(name, str(version)))
        self.catalogue.withdraw(name, str(version))
        self._described.pop((name, version), None)
        _log.info("model %s version %s: retired", name, version)

    async def _load(self, name: str, found: Found) -> None:
        try:
            if name in self._added:
                raise ModelError("the name belongs to a model that was added in code")
            folder = self.path / name / str(found.version)
            describe = partial(Job.of, folder, self.formats, self.options.cache)
            job = await in_thread(describe, name=f"describe-{name}")
            if job.description == self._described.get((name, found.version)):
                self._same(name, found)
                return
            async with asyncio.timeout(self.options.load_seconds):
                warmed = await self._ready(job, found)
        except TimeoutError:
            why = f"it was not loaded and warm within {self.options.load_seconds:g} s"
            self._failed(name, Failure(found, why))
        except (_NoRoom, NotReady) as error:
            self._failed(name, Failure(found, str(error), passing=True))
        except ModelError as error:
            self._failed(name, Failure(found, str(error)))
        except OSError as error:
            self._failed(name, Failure(found, f"cannot be read: {error.strerror or error}", passing=True))
        except Exception as error:
            _log.exception("model %s version %s: a runtime broke its contract", name, found.version)
            self._failed(name, Failure(found, f"{type(error).__name__}: {error}"))
        else:
            self._serve(job, found, warmed)

    async def _ready(self, job: Job, found: Found) -> Warmed:
        if not self.catalogue.moves(job.name, found, "load"):
            self.catalogue.move(job.name, found, "retry")
        self.catalogue.move(job.name, found, "load")
        await self._make_room(job, job.estimated_bytes())
        began = time.monotonic()
        loaded = await in_thread(partial(load, job), name=f"load-{job.name}", discard=lambda late: close(late.model))
        self.catalogue.move(job.name, found, "loaded")
        warming = time.monotonic()
        warmed = await in_thread(
            partial(warm, job, loaded), name=f"warm-{job.name}", discard=lambda late: close(late.model.model)
        )
        try:
            await self._make_room(job, warmed.size)
        except ModelError:
            close_later(warmed.model.model)
            raise
        now = time.monotonic()
        self.counts.took(job.name, load=now - began, warmup=now - warming)
        return warmed

    def _serve(self, job: Job, found: Found, warmed: Warmed) -> None:
        name, version = job.name, found.version
        self.catalogue.move(name, found, "warmed")
        slot = self.catalogue.slots[name]
        before = slot.serving.get(version)
        self.catalogue.slots[name] = attrs.evolve(
            slot, serving={**slot.serving, version: found}, failures=_without(slot.failures, version)
        )
        self._described[name, version] = job.description
        self.memory.keep(warmed.model, warmed.size, freed=partial(close_later, warmed.model.model))
        if before is not None and before != found:
            self.catalogue.retire(name, before, self.catalogue.loaded(name, str(version)))
        self.catalogue.serve(warmed.model)
        _log.info("model %s version %s serves", name, version)

    def _same(self, name: str, found: Found) -> None:
        """The folder was touched, its content is what serves: nothing is loaded."""
        slot = self.catalogue.slots[name]
        before = slot.serving[found.version]
        self.catalogue.rename(name, before, found)
        self.catalogue.slots[name] = attrs.evolve(
            slot, serving={**slot.serving, found.version: found}, failures=_without(slot.failures, found.version)
        )

    def _failed(self, name: str, failure: Failure) -> None:
        found = failure.found
        if self.catalogue.moves(name, found, "fail"):
            self.catalogue.move(name, found, "fail")
        slot = self.catalogue.slots.get(name, Slot())
        if slot.serving.get(found.version) == found:  # it was evicted, and cannot be loaded again
            self.catalogue.slots[name] = attrs.evolve(slot, serving=_without(slot.serving, found.version))
            self.catalogue.settle(name)
        self.counts.failed[name] += 1
        if self.catalogue.fail(name, failure):
            versions = [one.version for one in self.catalogue.models() if one.name == name]
            still = f"; version {', '.join(versions)} serves on" if versions else ""
            _log.error("model %s version %s did not load: %s%s", name, found.version, failure.reason, still)

    async def _make_room(self, job: Job, needed: int) -> None:
        limit = self.options.memory_bytes_max
        if limit is None:
            return
        chosen = evictions(self.memory.residents(partial(self._evictable, job)), needed=needed, limit=limit)
        if chosen is None:
            raise _NoRoom(
                f"it takes {needed} bytes; of the {limit} that models may take, {self.memory.total()} are in use "
                f"and not enough of them can be given up"
            )
        for one in chosen:
            self._evict(one.name, one.version)
        deadline = asyncio.get_running_loop().time() + _FREED_SECONDS
        try:
            async with asyncio.timeout_at(deadline):
                while self.memory.total() + needed > limit:
                    await self.memory.changed()
        except TimeoutError as error:
            raise _NoRoom("the models that made room for it are still in use") from error

    def _evictable(self, job: Job, name: str, version: str, hold: Hold) -> bool:
        """Whether the version may be given up; not the one that is to be replaced: it serves on if that fails."""
        if name in self._added or name in self.pinned or name in self.options.pinned or name == job.name:
            return False
        serving = self.catalogue.loaded(name, version)
        return serving is not None and serving.hold is hold

    def _evict(self, name: str, version: int) -> None:
        found = self.catalogue.slots[name].serving[version]
        self.catalogue.move(name, found, "evict")
        self.catalogue.withdraw(name, str(version))
        self._described.pop((name, version), None)
        self.counts.evicted[name] += 1
        _log.info("model %s version %s: evicted to make room", name, version)


def close_later(model: Model) -> None:
    """Give back what the model holds besides memory, in a thread."""
    if isinstance(model, Closable):
        in_background(model.close, name=f"close-{model.name}")


def _without(mapping: Mapping[int, T], key: int) -> dict[int, T]:
    return {one: value for one, value in mapping.items() if one != key}
