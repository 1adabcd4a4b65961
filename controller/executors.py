"""A name in a manifest stands for exactly one executor; an unknown, doubled or broken one is a clear error.

An executor is what an operator uses to get a piece of work done somewhere else: a subprocess, a Kubernetes Job, an
engine of another project. The registry is generic: it knows names and where an executor came from, not what it does.

The contract, as `Executor` spells it out:

- `name`: the registered name.
- `render(job)`: pure; the plan of what will be started, with a deterministic operation id. Equal jobs, equal plans.
- `await start(plan)`: starts the work under the plan's operation id and returns a handle. Called again with the same
  plan it returns a handle to the work that already runs (or has ended), never a second start.
- `await observe(handle)`: what is true now. Cheap, free of side effects, safe to call at any time and after a restart.
- `await cancel(handle)`: asks the work to end; returns when it has ended or cannot be found. Idempotent.

To resume after a restart is to `start` the same plan again: its operation id finds the work. So nothing but the plan,
which `render` computes anew from the job, has to be remembered.

An executor may also say `version`, a text, and `capabilities`, texts that its users agree on (`"cancel"`, `"gpu"`, …);
`ExecutorRegistry.info` tells both. Without a `version` an installed package's own counts.

The types of job, plan, handle and observation belong to the operator that uses the executor.

An installed package offers an executor by an entry point in the group `windlass.executors`
(`softmax = "mypackage.softmax:SOFTMAX"`); it is imported when first asked for, not before.
"""

from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, Protocol, TypeVar, overload

import attrs

from windlass.controller.errors import BrokenExecutor, DuplicateExecutor, ExecutorNotFound

__all__ = (
    "CONTRACT",
    "ENTRY_POINT_GROUP",
    "Executor",
    "ExecutorInfo",
    "ExecutorRegistry",
    "executors",
    "get",
    "names",
    "register",
)

ENTRY_POINT_GROUP = "windlass.executors"
CONTRACT = ("name", "render", "start", "observe", "cancel")

JobT_contra = TypeVar("JobT_contra", contravariant=True)
PlanT = TypeVar("PlanT")
HandleT = TypeVar("HandleT")
ObservationT_co = TypeVar("ObservationT_co", covariant=True)
E = TypeVar("E")


class Executor(Protocol[JobT_contra, PlanT, HandleT, ObservationT_co]):
    """The contract in types; what each part promises stands in the module's docstring."""

    @property
    def name(self) -> str:
        """The name under which this executor is registered."""

    def render(self, job: JobT_contra) -> PlanT:
        """What would be started for `job`. Pure."""

    async def start(self, plan: PlanT) -> HandleT:
        """Start the work once per operation id."""

    async def observe(self, handle: HandleT) -> ObservationT_co:
        """What is true of the work now."""

    async def cancel(self, handle: HandleT) -> None:
        """End the work. Idempotent."""


@attrs.frozen
class ExecutorInfo:
    """What is known of an executor beside what it does. `origin` says where it came from, for people."""

    name: str
    origin: str
    version: str | None
    capabilities: frozenset[str]


class ExecutorRegistry(Generic[E]):
    """Executors by name: those registered by code, and those that installed packages offer.

    `contract` names the attributes that an executor must have; it is checked when an executor is registered or first
    loaded, so that a broken one fails before a job relies on it. `noun` is what errors call an entry, for a registry
    of other things that are found by name.
    """

    def __init__(
        self,
        *,
        contract: Sequence[str] = CONTRACT,
        discover: Callable[[], Iterable[EntryPoint]] = lambda: entry_points(group=ENTRY_POINT_GROUP),
        noun: str = "executor",
    ) -> None:
        self._contract = tuple(contract)
        self._noun = noun
        self._discover = discover
        self._registered: dict[str, E] = {}
        self._overrides: set[str] = set()
        self._loaded: dict[str, E] = {}

    @overload
    def register(self, name: str, executor: E, *, replace: bool = False) -> E: ...

    @overload
    def register(self, name: str, *, replace: bool = False) -> Callable[[type[E]], type[E]]: ...

    def register(
        self, name: str, executor: E | None = None, *, replace: bool = False
    ) -> E | Callable[[type[E]], type[E]]:
        """Register `executor` under `name`; without an executor, a decorator for a class made without arguments.

        Raises DuplicateExecutor if the name is taken, unless `replace` says that this is meant (it then also hides an
        installed one of that name), and BrokenExecutor if a part of the contract is missing.
        """
        if executor is not None:
            self._add(name, executor, replace=replace)
            return executor

        def decorate(cls: type[E]) -> type[E]:
            self._add(name, cls(), replace=replace)
            return cls

        return decorate

    def get(self, name: str) -> E:
        """The executor called `name`, imported now if a package offers it.

        Raises ExecutorNotFound, which lists the known names; DuplicateExecutor; BrokenExecutor.
        """
        registered = self._registered.get(name)
        if registered is not None and name in self._overrides:
            return registered
        offered = [point for point in self._discover() if point.name == name]
        if registered is None and not offered:
            raise ExecutorNotFound(name, self.names(), noun=self._noun)
        found = [(_describe(point), self._load(point)) for point in _distinct(offered)]
        if registered is not None:
            found.insert(0, (_describe_object(registered), registered))
        (origin, executor), *others = found
        for other_origin, other in others:
            if other is not executor:
                raise DuplicateExecutor(name, origin, other_origin, noun=self._noun)
        return executor

    def info(self, name: str) -> ExecutorInfo:
        """What the executor called `name` says of itself. Raises as `get` does, for it is imported."""
        executor = self.get(name)
        point = next((one for one in self._discover() if one.name == name and self._loads(one, executor)), None)
        distribution = getattr(point, "dist", None)
        version = getattr(executor, "version", None) or (None if distribution is None else distribution.version)
        origin = _describe_object(executor) if point is None else _describe(point)
        return ExecutorInfo(name, origin, version, frozenset(getattr(executor, "capabilities", ())))

    def names(self) -> tuple[str, ...]:
        """The names that `get` knows, sorted. Imports nothing."""
        return tuple(sorted({*self._registered, *(point.name for point in self._discover())}))

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def __repr__(self) -> str:
        return f"<ExecutorRegistry {', '.join(self.names()) or 'empty'}>"

    def _loads(self, point: EntryPoint, executor: E) -> bool:
        return self._loaded.get(point.value) is executor

    def _add(self, name: str, executor: E, *, replace: bool) -> None:
        if not name:
            raise BrokenExecutor(name, _describe_object(executor), "its name is empty", noun=self._noun)
        existing = self._registered.get(name)
        if existing is not None and existing is not executor and not replace:
            raise DuplicateExecutor(name, _describe_object(existing), _describe_object(executor), noun=self._noun)
        self._check(name, executor, _describe_object(executor))
        self._registered[name] = executor
        if replace:
            self._overrides.add(name)

    def _load(self, point: EntryPoint) -> E:
        cached = self._loaded.get(point.value)
        if cached is not None:
            return cached
        origin = _describe(point)
        try:
            loaded: Any = point.load()
            executor: E = loaded() if isinstance(loaded, type) else loaded
        except Exception as error:  # whatever a foreign package raises while it is imported, the user hears who did it
            raise BrokenExecutor(point.name, origin, f"{type(error).__name__}: {error}", noun=self._noun) from error
        self._check(point.name, executor, origin)
        self._loaded[point.value] = executor
        return executor

    def _check(self, name: str, executor: object, origin: str) -> None:
        missing = [part for part in self._contract if not hasattr(executor, part)]
        if missing:
            raise BrokenExecutor(name, origin, f"it has no {', '.join(missing)}", noun=self._noun)
        own_name = getattr(executor, "name", name)
        if own_name != name:
            raise BrokenExecutor(name, origin, f"it calls itself {own_name!r}", noun=self._noun)


def _distinct(points: Iterable[EntryPoint]) -> list[EntryPoint]:
    """Entry points without repeats: an editable install can list one package twice."""
    return list({point.value: point for point in points}.values())


def _describe(point: EntryPoint) -> str:
    distribution = getattr(point, "dist", None)
    package = f" of the package {distribution.name}" if distribution is not None else ""
    return f"{point.value}{package}"


def _describe_object(executor: object) -> str:
    cls = type(executor)
    return f"{cls.__module__}.{cls.__qualname__}"


executors: ExecutorRegistry[Any] = ExecutorRegistry()
"""The registry of this process. A program that wants several makes its own `ExecutorRegistry`."""

# `from windlass.controller import executors; executors.register("llm-finetune", …)` reads well, so the module offers
# the registry's verbs as its own.
register = executors.register
get = executors.get
names = executors.names
