"""What serves under a name changes by one assignment, after the new version was verified, loaded and warmed up (W8).

A request takes the model once and keeps it; the repository never waits for requests and never closes a model, it lets
go of it. Scans, reads and loads run in one thread of their own, so that neither the event loop nor the models'
threads wait for a disk. This module knows neither HTTP nor tensors.
"""

import asyncio
import logging
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs

from windlass.serving.data.transformer import preprocessed
from windlass.serving.errors import ModelError, NotFound, NotReady
from windlass.serving.model import LoadedModel, Model
from windlass.serving.policy import Policy
from windlass.serving.repository.description import read_description, read_pipeline, read_verified
from windlass.serving.repository.plan import Action, Failure, Found, Load, Slot, Unload, plan
from windlass.serving.repository.scan import scan, valid_name
from windlass.serving.repository.warmup import warm_up
from windlass.serving.runtimes import RUNTIMES, Source

__all__ = ("IndexEntry", "ModelRepository")

_log = logging.getLogger(__name__)
_PLAIN = Policy()


@attrs.frozen
class IndexEntry:
    """One line of the repository's index.

    `state` is READY, LOADING or UNAVAILABLE; `reason` is empty when there is nothing to say.
    """

    name: str
    version: str
    state: str
    reason: str = ""


class ModelRepository:
    """The models of one folder, if a path is given, and those added by hand.

    `poll_seconds` is the time between two scans while `run()` runs. `required` names models without which the server
    is not ready (R2).

    Guarantees: at most one scan at a time; a version that fails leaves the one before it serving; the index says why
    it failed; a version that failed is tried again only when its folder changes. When the folder cannot be listed
    nothing changes.
    """

    def __init__(self, path: Path | None = None, *, poll_seconds: float = 1.0, required: Collection[str] = ()) -> None:
        self.path = path
        self.poll_seconds = poll_seconds
        self.required = frozenset(required)
        # Written on the event loop only (or before it runs, by `add`): requests read `_models`, everything else is
        # bookkeeping.
        self._models: dict[str, LoadedModel] = {}
        self._added: set[str] = set()
        self._slots: dict[str, Slot] = {}
        self._loading: set[tuple[str, int]] = set()
        self._scanned = path is None
        self._scan_problem = ""
        self._one_at_a_time = asyncio.Lock()
        self._changed = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="windlass-repository")

    def __repr__(self) -> str:
        serving = ", ".join(f"{model.name}={model.version}" for model in self.models())
        return f"<ModelRepository {self.path or 'in memory'} serving {serving or 'nothing'}>"

    def add(self, name: str, model: Model, *, policy: Policy = _PLAIN) -> LoadedModel:
        """Serve a model made in code; one that was there under the name is replaced. `policy` bounds and batches it.

        It is warmed up here and now, so a slow one blocks the caller.

        Raises ModelError when the name does not fit into a URL or the warm-up fails; what served before then still
        serves.
        """
        if not valid_name(name):
            raise ModelError(f"a model cannot be called {name!r}: use letters, digits, '-', '_' and '.'")
        loaded = warm_up(name, model, policy=policy)
        self._added.add(name)
        self._serve(loaded)
        return loaded

    def get(self, name: str, version: str | None = None) -> LoadedModel:
        """The model that serves now.

        Raises NotFound for an unknown name or a version that does not serve, NotReady for one that is not loaded.
        """
        loaded = self._models.get(name)
        if loaded is None:
            slot = self._slots.get(name)
            if slot is None:
                raise NotFound(f"there is no model {name!r}")
            reasons = "; ".join(failure.reason for failure in slot.failures.values())
            raise NotReady(f"model {name!r} is not ready: {reasons or 'it is being loaded'}")
        if version is not None and version != loaded.version:
            raise NotFound(f"model {name!r} has no version {version!r}; version {loaded.version!r} serves")
        return loaded

    def knows(self, name: str) -> bool:
        """Whether the name belongs to a model, ready or not."""
        return name in self._models or name in self._slots

    def models(self) -> list[LoadedModel]:
        """The models that serve, by name."""
        return [self._models[name] for name in sorted(self._models)]

    def not_ready_because(self) -> str | None:
        """None when the models are ready to serve, otherwise the reason (R2).

        A reload never changes it, because the old version serves on (R4).
        """
        if not self._scanned:
            return self._scan_problem or "the first scan of the model repository is not complete"
        missing = sorted(self.required - self._models.keys())
        if missing:
            return f"required models are not loaded: {', '.join(missing)}"
        return None if self._models else "no model is loaded"

    def index(self) -> list[IndexEntry]:
        """Every version that is known of, by name and version."""
        return sorted(
            self._entries(), key=lambda entry: (entry.name, int(entry.version) if entry.version.isdecimal() else 0)
        )

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
        loop = asyncio.get_running_loop()
        async with self._one_at_a_time:
            try:
                found = await loop.run_in_executor(self._thread, scan, self.path)
            except OSError as error:
                self._cannot_scan(error)
                return
            self._scan_problem = ""
            self._take_note(found)
            # When a version fails the next lower one may be due, so plan again until nothing is left to do.
            actions = plan(self._slots, found, retry=True)
            while actions:
                for action in actions:
                    await self._perform(action)
                actions = plan(self._slots, found)
            self._scanned = True
            self._wake()

    async def wait_for(self, name: str, version: int | str | None = None) -> LoadedModel:
        """The model, once it serves the version or a later one; any version when none is given.

        Scans at once, then relies on `run()`. Raises ModelError when that version failed to load, so that nobody
        waits for what will not come.
        """
        await self.refresh()
        while True:
            loaded = self._models.get(name)
            if loaded is not None and (version is None or int(loaded.version) >= int(version)):
                return loaded
            self._raise_if_hopeless(name, version)
            await self._changed.wait()

    def close(self) -> None:
        """Give up the thread. A load under way ends on its own and is dropped."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _take_note(self, found: dict[str, frozenset[Found]]) -> None:
        for name, versions in found.items():
            slot = self._slots.get(name, Slot())
            numbers = {one.version for one in versions}
            failures = {number: failure for number, failure in slot.failures.items() if number in numbers}
            self._slots[name] = attrs.evolve(slot, failures=failures)

    async def _perform(self, action: Action) -> None:
        match action:
            case Unload(name):
                self._unload(name)
            case Load(name, found):
                await self._load(name, found)

    def _unload(self, name: str) -> None:
        del self._slots[name]
        if name not in self._added and self._models.pop(name, None) is not None:
            _log.info("model %s: its folder is gone, unloaded", name)
        self._wake()

    async def _load(self, name: str, found: Found) -> None:
        key = (name, found.version)
        self._loading.add(key)
        try:
            if name in self._added:
                raise ModelError("the name belongs to a model that was added in code")
            loaded = await asyncio.get_running_loop().run_in_executor(
                self._thread, self._load_in_thread, name, found.version
            )
        except ModelError as error:
            self._failed(name, Failure(found, str(error)))
        except OSError as error:
            self._failed(name, Failure(found, f"cannot be read: {error.strerror or error}", passing=True))
        except Exception as error:
            _log.exception("model %s version %s: a runtime broke its contract", name, found.version)
            self._failed(name, Failure(found, f"{type(error).__name__}: {error}"))
        else:
            failures = {number: one for number, one in self._slots[name].failures.items() if number != found.version}
            self._slots[name] = Slot(found, failures)
            self._serve(loaded)
            _log.info("model %s version %s serves", name, found.version)
        finally:
            self._loading.discard(key)

    def _load_in_thread(self, name: str, version: int) -> LoadedModel:
        assert self.path is not None
        folder = self.path / name / str(version)
        description = read_description(folder)
        runtime = RUNTIMES.get(description.format)
        if runtime is None:
            raise ModelError(f"format {description.format!r} is unknown; known: {', '.join(sorted(RUNTIMES))}")
        content = read_verified(folder, description)
        metadata = {key: str(value) for key, value in description.metadata.items()}
        model = runtime.load(Source(name, str(version), folder / description.file, content, metadata))
        if description.pipeline is not None:
            model = preprocessed(read_pipeline(folder, description.pipeline), model)
        loaded = warm_up(name, model, policy=description.policy)
        return attrs.evolve(loaded, labels=description.labels, metadata=metadata)

    def _serve(self, loaded: LoadedModel) -> None:
        self._models[loaded.name] = loaded
        self._wake()

    def _failed(self, name: str, failure: Failure) -> None:
        slot = self._slots[name]
        known = slot.failures.get(failure.found.version)
        self._slots[name] = attrs.evolve(slot, failures={**slot.failures, failure.found.version: failure})
        if known != failure:
            serving = self._models.get(name)
            still = f"; version {serving.version} serves on" if serving else ""
            _log.error("model %s version %s did not load: %s%s", name, failure.found.version, failure.reason, still)
        self._wake()

    def _cannot_scan(self, error: OSError) -> None:
        problem = f"cannot list the model repository {self.path}: {error.strerror or error}"
        if problem != self._scan_problem:
            _log.warning("%s; what serves now serves on", problem)
        self._scan_problem = problem

    def _raise_if_hopeless(self, name: str, version: int | str | None) -> None:
        slot = self._slots.get(name)
        if slot is None or (version is None and name in self._models):
            return
        for failure in slot.failures.values():
            if not failure.passing and (version is None or failure.found.version == int(version)):
                raise ModelError(f"model {name!r} version {failure.found.version} did not load: {failure.reason}")

    def _entries(self) -> Iterator[IndexEntry]:
        for loaded in self._models.values():
            yield IndexEntry(loaded.name, loaded.version, "READY")
        for name, slot in self._slots.items():
            for failure in slot.failures.values():
                yield IndexEntry(name, str(failure.found.version), "UNAVAILABLE", failure.reason)
        for name, version in self._loading:
            yield IndexEntry(name, str(version), "LOADING")

    def _wake(self) -> None:
        # Each change has its own event: whoever waits is woken exactly once, and looks for itself.
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
