"""A request finds a version only while its phase is `Ready`, and what it finds changes by one assignment.

Everything that is known of the versions: what serves, what is coming, what failed and why, what drains. Synchronous,
and changed by the repository alone, on the event loop.
"""

from collections.abc import Iterable, Iterator, Mapping
from weakref import WeakKeyDictionary

import attrs

from windlass.serving.errors import NotFound, NotReady
from windlass.serving.model import Hold, LoadedModel
from windlass.serving.repository.phases import MACHINE, STATES
from windlass.serving.repository.plan import Failure, Found, Slot

__all__ = ("Catalogue", "Evicted", "IndexEntry")


@attrs.frozen
class IndexEntry:
    """One line of the repository's index.

    `state` is READY, LOADING, UNLOADING or UNAVAILABLE; `reason` is empty when there is nothing to say.
    """

    name: str
    version: str
    state: str
    reason: str = ""


class Evicted(NotReady):
    """The version made room for another; it is loaded again for whoever asks for it and waits."""


class Catalogue:
    """The versions of all models."""

    def __init__(self) -> None:
        self.slots: dict[str, Slot] = {}
        # Replaced name by name, never changed: a reader sees all of a change or nothing.
        self._models: dict[str, dict[str, LoadedModel]] = {}
        self._defaults: dict[str, LoadedModel] = {}
        self._phases: dict[tuple[str, Found], str] = {}
        # Whatever was retired is listed as long as somebody may still use it, beside what took its place.
        self._draining: WeakKeyDictionary[Hold, tuple[str, str]] = WeakKeyDictionary()
        self._held_back: dict[str, tuple[tuple[str, ...], str]] = {}

    def __repr__(self) -> str:
        serving = ", ".join(f"{model.name}={model.version}" for model in self.models())
        return f"<Catalogue serving {serving or 'nothing'}>"

    def get(self, name: str, version: str | None = None) -> LoadedModel:
        """The version that serves, the highest when none is asked for.

        Raises NotFound for what is not known or not chosen to serve, NotReady for what is not loaded, Evicted for what
        can be loaded on demand.
        """
        loaded = self._defaults.get(name) if version is None else self._models.get(name, {}).get(version)
        return loaded if loaded is not None else self._absent(name, version)

    def evicted(self, name: str, version: str | None = None) -> Found | None:
        """The version that a request for this one would have loaded again; None when it would not."""
        slot = self.slots.get(name)
        if slot is None or not slot.serving:
            return None
        number = max(slot.serving) if version is None else int(version) if version.isdecimal() else -1
        found = slot.serving.get(number)
        # While it is being loaded again, whoever asks joins those that wait.
        coming = found is not None and self._phases.get((name, found)) in ("Evicted", "Pending", "Loading", "Warming")
        return found if coming else None

    def knows(self, name: str) -> bool:
        """Whether the name belongs to a model, ready or not."""
        return name in self._models or name in self.slots or name in self._held_back

    def can_serve(self, name: str, version: str | None = None) -> bool:
        """Whether a request for it would be answered, if need be after loading."""
        there = name in self._defaults if version is None else version in self._models.get(name, {})
        return there or self.evicted(name, version) is not None

    def models(self) -> list[LoadedModel]:
        """What serves now, by name, the highest version of a name first."""
        return [loaded for name in sorted(self._models) for loaded in self._models[name].values()]

    def index(self) -> list[IndexEntry]:
        """Every version that is known of, by name and version."""
        return sorted(self._entries(), key=lambda entry: (entry.name, _number(entry.version), entry.version))

    def move(self, name: str, found: Found, event: str) -> None:
        """Let something happen to a version. Raises IllegalTransition when it cannot happen (W1)."""
        self._phases[name, found] = MACHINE.next(self._phases.get((name, found), MACHINE.initial), event)

    def retire(self, name: str, found: Found, loaded: LoadedModel | None) -> None:
        """It serves no longer; `loaded` is what did, None when it was evicted."""
        self.move(name, found, "retire")
        del self._phases[name, found]
        if loaded is not None:
            self._draining[loaded.hold] = (name, loaded.version)

    def moves(self, name: str, found: Found, event: str) -> bool:
        """Whether `move` would be allowed."""
        return MACHINE.allows(self._phases.get((name, found), MACHINE.initial), event)

    def rename(self, name: str, before: Found, after: Found) -> None:
        """The version is known by another mark now; its phase is the same."""
        phase = self._phases.pop((name, before), None)
        self._phases.pop((name, after), None)
        if phase is not None:
            self._phases[name, after] = phase

    def serve(self, loaded: LoadedModel, *, beside: bool = True) -> None:
        """Let it serve, in the place of the same version, and of all others of its name unless `beside`."""
        others = self._models.get(loaded.name, {}) if beside else {}
        self._replace(loaded.name, {**others, loaded.version: loaded})

    def withdraw(self, name: str, version: str) -> None:
        """Let it serve no longer."""
        self._replace(name, {one: model for one, model in self._models.get(name, {}).items() if one != version})

    def loaded(self, name: str, version: str) -> LoadedModel | None:
        """The version, if it serves now."""
        return self._models.get(name, {}).get(version)

    def settle(self, name: str) -> None:
        """Find anew which version answers when none is asked for."""
        self._replace(name, self._models.get(name, {}))

    def fail(self, name: str, failure: Failure) -> bool:
        """Remember why; whether that is news."""
        slot = self.slots.get(name, Slot())
        news = slot.failures.get(failure.found.version) != failure
        self.slots[name] = attrs.evolve(slot, failures={**slot.failures, failure.found.version: failure})
        return news

    def hold_back(self, name: str, versions: Iterable[int], *, why: str) -> None:
        """These versions are there, and do not serve, because somebody wanted it so."""
        self._held_back[name] = (tuple(str(one) for one in sorted(versions)), why)

    def release(self, name: str) -> None:
        """Nothing is held back any more."""
        self._held_back.pop(name, None)

    def forget(self, name: str) -> None:
        """Nothing is known of the name any more, but what of it still drains."""
        self.slots.pop(name, None)
        self._models.pop(name, None)
        self._defaults.pop(name, None)
        for key in [key for key in self._phases if key[0] == name]:
            del self._phases[key]
        self._held_back.pop(name, None)

    def _replace(self, name: str, versions: Mapping[str, LoadedModel]) -> None:
        if not versions:
            self._models.pop(name, None)
            self._defaults.pop(name, None)
            return
        ordered = sorted(versions.values(), key=lambda one: (_number(one.version), one.version), reverse=True)
        self._models[name] = {one.version: one for one in ordered}
        slot = self.slots.get(name)
        highest = max(slot.serving, default=0) if slot is not None else 0
        # The highest may have been evicted: then it is the one to load again, not one below it to answer.
        if _number(ordered[0].version) >= highest:
            self._defaults[name] = ordered[0]
        else:
            self._defaults.pop(name, None)

    def _absent(self, name: str, version: str | None) -> LoadedModel:
        slot = self.slots.get(name)
        if self.evicted(name, version) is not None:
            raise Evicted(f"model {name!r} made room for others; it is loaded again when it is asked for")
        serving = self._models.get(name)
        if version is not None and (serving or (slot is not None and slot.serving)):
            numbers = [*serving] if serving else []
            numbers += [str(one) for one in (slot.serving if slot else ()) if str(one) not in numbers]
            listed = ", ".join(repr(one) for one in sorted(numbers, key=_number))
            which = f"version {listed} serves" if len(numbers) == 1 else f"versions {listed} serve"
            raise NotFound(f"model {name!r} has no version {version!r}; {which}")
        if name in self._held_back:
            raise NotReady(f"model {name!r} is not ready: {self._held_back[name][1]}")
        if slot is None:
            raise NotFound(f"there is no model {name!r}")
        reasons = [failure.reason for failure in slot.failures.values()]
        reasons += [f"version {one}, which its settings name, is not there" for one in slot.missing]
        raise NotReady(f"model {name!r} is not ready: {'; '.join(reasons) or 'it is being loaded'}")

    def _entries(self) -> Iterator[IndexEntry]:
        for loaded in self.models():
            reason = loaded.not_ready_because()
            yield IndexEntry(loaded.name, loaded.version, "UNAVAILABLE" if reason else "READY", reason or "")
        for name, slot in self.slots.items():
            for failure in slot.failures.values():
                if self._phases.get((name, failure.found)) == "Failed":
                    yield IndexEntry(name, str(failure.found.version), "UNAVAILABLE", failure.reason)
        for (name, found), phase in self._phases.items():
            if phase == "Evicted":
                yield IndexEntry(name, str(found.version), STATES[phase], "evicted to make room")
            elif phase not in ("Ready", "Failed"):
                yield IndexEntry(name, str(found.version), STATES[phase])
        for name, version in list(self._draining.values()):
            yield IndexEntry(name, version, STATES["Draining"])
        for name, (versions, why) in self._held_back.items():
            for version in versions:
                yield IndexEntry(name, version, "UNAVAILABLE", why)


def _number(version: str) -> int:
    return int(version) if version.isdecimal() else 0
