"""What serves under a name changes by one assignment, after the new version was verified, loaded and warmed up (W8).

A request takes the model once and keeps it; the repository never waits for requests, it lets go of a model, and gives
its resources back when the last request has let go as well. Scans, reads and loads run in threads of their own, so
that neither the event loop nor the models' threads wait for a disk. This module knows neither HTTP nor tensors.
"""

import asyncio
import logging
import math
import time
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Final

import attrs

from windlass.serving.ensembles.ensemble import Ensemble, EnsembleRuntime
from windlass.serving.errors import DeadlineExceeded, ModelError, NotFound, NotReady
from windlass.serving.model import LoadedModel, Model
from windlass.serving.policy import Policy
from windlass.serving.repository.catalogue import Evicted, IndexEntry
from windlass.serving.repository.changes import Changes, close_later
from windlass.serving.repository.counts import RepositoryMetrics
from windlass.serving.repository.options import RepositoryOptions
from windlass.serving.repository.plan import Found, Slot
from windlass.serving.repository.scan import scan, valid_name
from windlass.serving.repository.settings import SETTINGS_FILE, ModelSettings, read_settings
from windlass.serving.repository.threads import in_thread
from windlass.serving.repository.warmup import warm_up
from windlass.serving.runtimes.registry import Registry

__all__ = ("IndexEntry", "ModelRepository")

_log = logging.getLogger(__name__)
_PLAIN = Policy()
_DEFAULTS: Final = RepositoryOptions()


class ModelRepository:
    """The models of one folder, if a path is given, and those added by hand.

    `poll_seconds` is the time between two scans while `run()` runs. `required` names models without which the server
    is not ready (R2).

    Guarantees: at most one change at a time; a version that fails leaves what served before it serving; the index says
    why it failed; a version that failed is tried again only when its folder changes, or when `load` asks for it. When
    the folder cannot be listed nothing changes.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        poll_seconds: float = 1.0,
        required: Collection[str] = (),
        options: RepositoryOptions = _DEFAULTS,
    ) -> None:
        self.path = path
        self.poll_seconds = poll_seconds
        self.required = frozenset(required)
        self.options = options
        # Written on the event loop only (or before it runs, by `add`).
        self._added: set[str] = set()
        self._changes = Changes(path or Path(), options=options, added=self._added)
        self._changes.formats = Registry({"ensemble": EnsembleRuntime(self)}, beside=options.formats)
        self._catalogue = self._changes.catalogue
        self._settings: dict[str, ModelSettings | None] = {}
        self._settings_problems: dict[str, str] = {}
        # Names that `unload` was asked for, or that `load` was not yet asked for.
        self._held_back: dict[str, str] = {}
        self._wanted: set[str] = set()
        self._scanned = path is None
        self._scan_problem = ""
        self._one_at_a_time = asyncio.Lock()
        self._changed = asyncio.Event()
        self._demands: dict[tuple[str, Found], asyncio.Task[None]] = {}

    def __repr__(self) -> str:
        serving = ", ".join(f"{model.name}={model.version}" for model in self.models())
        return f"<ModelRepository {self.path or 'in memory'} serving {serving or 'nothing'}>"

    def add(self, name: str, model: Model, *, policy: Policy = _PLAIN, beside: bool = False) -> LoadedModel:
        """Serve a model made in code; those that were there under the name are replaced.

        With `beside`, only the same version is replaced. `policy` bounds and batches it. It is warmed up here and now,
        so a slow one blocks the caller.

        Raises ModelError when the name does not fit into a URL or the warm-up fails; what served before then still
        serves.
        """
        if not valid_name(name):
            raise ModelError(f"a model cannot be called {name!r}: use letters, digits, '-', '_' and '.'")
        loaded = warm_up(name, model, policy=policy)
        self._added.add(name)
        self._changes.memory.keep(loaded, 0, freed=partial(close_later, model))
        self._catalogue.serve(loaded, beside=beside)
        self._wake()
        return loaded

    def get(self, name: str, version: str | None = None) -> LoadedModel:
        """The model that serves now, the highest of its versions that serve when none is asked for.

        Raises NotFound for an unknown name or a version that does not serve, NotReady for one that is not loaded.
        """
        loaded = self._catalogue.get(name, version)
        if self.options.memory_bytes_max is not None:
            loaded.hold.used = time.monotonic()
        return loaded

    async def take(self, name: str, version: str | None = None, *, deadline: float = math.inf) -> LoadedModel:
        """As `get`, but what was evicted is loaded again, and waited for until the `deadline` on the loop's clock.

        Raises DeadlineExceeded besides.
        """
        try:
            return self.get(name, version)
        except Evicted:
            task = self._demanded(name, version)
        try:
            async with asyncio.timeout_at(None if deadline == math.inf else deadline):
                await asyncio.shield(task)
        except TimeoutError as error:
            raise DeadlineExceeded(f"model {name!r}: it was not loaded again within the time given") from error
        return self.get(name, version)

    def recall(self, name: str, version: str | None = None) -> None:
        """Load what was evicted again, without being waited for."""
        self._demanded(name, version)

    def can_serve(self, name: str, version: str | None = None) -> bool:
        """Whether a request for it would be answered now, if need be after loading what was evicted."""
        try:
            return self._catalogue.get(name, version).not_ready_because() is None
        except Evicted:
            return True
        except (NotFound, NotReady):
            return False

    def knows(self, name: str) -> bool:
        """Whether the name belongs to a model, ready or not."""
        return self._catalogue.knows(name)

    def models(self) -> list[LoadedModel]:
        """What serves, by name, the highest version of a name first."""
        return self._catalogue.models()

    def versions(self, name: str) -> list[str]:
        """The versions of the model that serve, the lowest first."""
        return [loaded.version for loaded in reversed(self.models()) if loaded.name == name]

    def not_ready_because(self) -> str | None:
        """None when the models are ready to serve, otherwise the reason (R2).

        A reload never changes it, because the old version serves on (R4).
        """
        if not self._scanned:
            return self._scan_problem or "the first scan of the model repository is not complete"
        missing = sorted(name for name in self.required if not self._catalogue.can_serve(name))
        if missing:
            return f"required models are not loaded: {', '.join(missing)}"
        for loaded in self.models():
            reason = loaded.not_ready_because() if loaded.name in self.required else None
            if reason:
                return f"a required model cannot answer: {reason}"
        return None if self.models() else "no model is loaded"

    def index(self) -> list[IndexEntry]:
        """Every version that is known of, by name and version."""
        return self._catalogue.index()

    def metrics(self) -> RepositoryMetrics:
        """What a metrics registry may collect."""
        return RepositoryMetrics(self._changes.counts, self._changes.memory.sizes)

    async def run(self) -> None:
        """Scan now and every `poll_seconds`, until cancelled.

        Without a path there is nothing to watch, and it only waits.
        """
        if self.path is None:
            await asyncio.Event().wait()
        while True:
            try:
                await self.refresh()
            except Exception:
                _log.exception("the scan of %s failed; the next one is in %s s", self.path, self.poll_seconds)
            await asyncio.sleep(self.poll_seconds)

    async def refresh(self) -> None:
        """Scan once, and load and unload what follows.

        Returns when that is done; failures are in the index and in the log, not raised.
        """
        if self.path is None:
            return
        async with self._one_at_a_time:
            await self._refresh(self.path)

    async def load(self, name: str) -> None:
        """Scan, and load what is to serve of this model: also when it was unloaded, or has failed before.

        Returns when it serves. Raises NotFound when there is no such model, ModelError when a version that should serve
        does not; what served before serves on.
        """
        self._refuse_added("load", name)
        async with self._one_at_a_time:
            self._held_back.pop(name, None)
            self._wanted.add(name)
            slot = self._catalogue.slots.get(name)
            if slot is not None:
                self._catalogue.slots[name] = attrs.evolve(slot, failures={})
            if self.path is not None:
                await self._refresh(self.path)
        slot = self._catalogue.slots.get(name)
        if slot is None:
            raise NotFound(f"failed to load {name!r}: {self._scan_problem or 'there is no such model'}")
        reasons = [f"version {number}: {one.reason}" for number, one in sorted(slot.failures.items())]
        if name in self._settings_problems:
            reasons.append(self._settings_problems[name])
        if reasons or not slot.serving:
            why = "; ".join(reasons) or "its settings name no version that is there"
            raise ModelError(f"failed to load {name!r}: {why}")

    async def unload(self, name: str, *, dependents: bool = False) -> None:
        """Take the model away until `load` asks for it; requests that hold it finish on it.

        With `dependents` also the ensembles that ask it; without it these answer that it is not ready.

        Raises NotFound when there is no such model, ModelError for one that was added in code.
        """
        self._refuse_added("unload", name)
        async with self._one_at_a_time:
            if not self._catalogue.knows(name):
                raise NotFound(f"failed to unload {name!r}: there is no such model")
            for one in [name, *(self._dependents(name) if dependents else ())]:
                self._hold_back(one)
            self._wake()

    async def wait_for(self, name: str, version: int | str | None = None) -> LoadedModel:
        """The model, once it serves the version or a later one; any version when none is given.

        Scans at once, then relies on `run()`. Raises ModelError when that version failed to load, so that nobody
        waits for what will not come.
        """
        await self.refresh()
        while True:
            for loaded in self.models():
                if loaded.name == name and (version is None or int(loaded.version) >= int(version)):
                    return loaded
            self._raise_if_hopeless(name, version)
            await self._changed.wait()

    def close(self) -> None:
        """Let go of all models. What is being loaded is dropped when it is done."""
        for name in {loaded.name for loaded in self.models()}:
            self._added.discard(name)
            self._changes.unload(name)

    def _dependents(self, name: str) -> list[str]:
        found = {one.name for one in self.models() if isinstance(one.model, Ensemble) and name in one.model.members()}
        return sorted(found | {deeper for one in found - {name} for deeper in self._dependents(one)})

    def _hold_back(self, name: str) -> None:
        self._wanted.discard(name)
        self._held_back[name] = "unloaded"
        slot = self._catalogue.slots.get(name)
        if slot is not None:
            self._changes.unload(name)
            self._catalogue.hold_back(name, {*slot.serving, *slot.failures}, why="unloaded")

    async def _refresh(self, path: Path) -> None:
        try:
            found, settings = await in_thread(lambda: self._look(path), name="scan")
        except OSError as error:
            self._cannot_scan(error)
            return
        self._scan_problem = ""
        self._take_note(found, settings)
        chosen = {name: versions for name, versions in found.items() if self._may_serve(name, versions)}
        try:
            await self._changes.bring_in_line(chosen)
        finally:
            self._wake()
        self._scanned = True

    def _look(self, path: Path) -> tuple[dict[str, frozenset[Found]], dict[str, ModelSettings | str | None]]:
        """What is there, and what is said of each model: its settings, None, or what is wrong with them."""
        found = scan(path)
        settings: dict[str, ModelSettings | str | None] = {}
        for name in found:
            try:
                settings[name] = read_settings(path / name)
            except ModelError as error:
                settings[name] = str(error)
            except OSError as error:
                settings[name] = f"{SETTINGS_FILE} cannot be read: {error.strerror or error}"
        return found, settings

    def _take_note(self, found: dict[str, frozenset[Found]], settings: dict[str, ModelSettings | str | None]) -> None:
        for name in {*self._settings, *self._settings_problems} - found.keys():
            self._settings.pop(name, None)
            self._settings_problems.pop(name, None)
        for name, versions in found.items():
            said = settings[name]
            if isinstance(said, str):
                if self._settings_problems.get(name) != said:
                    _log.error("model %s: %s; the settings before it hold", name, said)
                self._settings_problems[name] = said
            else:
                self._settings_problems.pop(name, None)
                self._settings[name] = said
            mine = self._settings.get(name)
            slot = self._catalogue.slots.get(name, Slot())
            numbers = {one.version for one in versions}
            failures = {number: failure for number, failure in slot.failures.items() if number in numbers}
            chosen = mine.versions if mine is not None else self.options.versions
            if self._may_serve(name, versions):
                missing = tuple(one for one in chosen if one not in numbers) if isinstance(chosen, tuple) else ()
                self._catalogue.slots[name] = attrs.evolve(slot, failures=failures, versions=chosen, missing=missing)
            (self._changes.pinned.add if mine is not None and mine.pinned else self._changes.pinned.discard)(name)

    def _may_serve(self, name: str, versions: frozenset[Found]) -> bool:
        if not self.options.autoload and name not in self._wanted:
            self._held_back.setdefault(name, "not asked for")
        why = self._held_back.get(name)
        if why is None:
            self._catalogue.release(name)
            return True
        self._catalogue.hold_back(name, [one.version for one in versions], why=why)
        return False

    def _demanded(self, name: str, version: str | None) -> "asyncio.Task[None]":
        found = self._catalogue.evicted(name, version)
        assert found is not None
        task = self._demands.get((name, found))
        if task is None:
            task = asyncio.create_task(self._demand(name, found), name=f"windlass-serving-demand-{name}")
            self._demands[name, found] = task
            task.add_done_callback(lambda _: self._demands.pop((name, found), None))
        return task

    async def _demand(self, name: str, found: Found) -> None:
        async with self._one_at_a_time:
            await self._changes.demand(name, found)
            self._wake()

    def _refuse_added(self, what: str, name: str) -> None:
        if name in self._added:
            raise ModelError(f"failed to {what} {name!r}: it was added in code")

    def _cannot_scan(self, error: OSError) -> None:
        problem = f"cannot list the model repository {self.path}: {error.strerror or error}"
        if problem != self._scan_problem:
            _log.warning("%s; what serves now serves on", problem)
        self._scan_problem = problem

    def _raise_if_hopeless(self, name: str, version: int | str | None) -> None:
        slot = self._catalogue.slots.get(name)
        if slot is None or (version is None and slot.serving):
            return
        for failure in slot.failures.values():
            if not failure.passing and (version is None or failure.found.version == int(version)):
                raise ModelError(f"model {name!r} version {failure.found.version} did not load: {failure.reason}")

    def _wake(self) -> None:
        # Each change has its own event: whoever waits is woken exactly once, and looks for itself.
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
