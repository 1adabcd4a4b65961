"""One Experiment for one plan, whoever asks and however often: it is created once, found again, and waited for.

The wait is counted from the Experiment's own creation, so a restart neither shortens nor extends it (G5). Whatever
leaves a doubt is an error: a namesake, one that has vanished, a server that no longer answers. This module does not
know what the trials mean.
"""

import asyncio
import concurrent.futures
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import attrs

from windlass.informers.api import Api
from windlass.informers.errors import AlreadyExists, InformersError, NotFound
from windlass.informers.keys import Key
from windlass.operators.errors import CheckError
from windlass.operators.training.gate.katib import (
    EXPERIMENT,
    EXPERIMENT_LABEL,
    TRIAL,
    Ended,
    KatibSettings,
    experiment_name,
    is_ours,
    read_experiment,
    render_experiment,
)
from windlass.operators.training.gate.trials import Patience, Trial, TrialPlan, TrialRunner, TrialTemplate

__all__ = ("ExperimentPatience", "KatibCluster", "KatibTrials", "katib_is_present", "run_experiment")

T = TypeVar("T")

_TICK_SECONDS: Final = 0.1  # how soon a thread that waits notices that nobody waits for it


def _now() -> datetime:
    return datetime.now(UTC)


@attrs.frozen
class ExperimentPatience:
    """How old an Experiment may become before it is given up, and how often it is looked at."""

    timeout_seconds: float
    poll_seconds: float = 2.0
    clock: Callable[[], datetime] = _now


async def katib_is_present(api: Api, namespace: str) -> bool:
    """Whether the cluster serves Experiments. Raises CheckError when that cannot be known: no answer is no absence."""
    try:
        await api.list(EXPERIMENT, namespace=namespace, limit=1)
    except NotFound:
        return False
    except InformersError as error:
        raise CheckError(f"whether Katib is there cannot be told: {error}", reason="KatibUnreachable") from error
    return True


async def run_experiment(
    api: Api,
    plan: TrialPlan,
    *,
    settings: KatibSettings,
    patience: ExperimentPatience,
) -> tuple[Trial, ...]:
    """The plan's trials, once the Experiment has ended. Cancelled and called again, it goes on with the same one.

    Raises CheckError: NameConflict, KatibUnreachable, ExperimentGone, ExperimentFailed, TimedOut.
    """
    key = Key(settings.namespace, experiment_name(plan, settings))
    began = await _ensure(api, key, plan=plan, settings=settings)
    uid, created = began["metadata"]["uid"], _time(began["metadata"]["creationTimestamp"])
    trouble: InformersError | None = None
    while True:
        try:
            seen = await _look(api, key, plan.objective, uid=uid)
            trouble = None
        except InformersError as error:
            trouble, seen = error, None
        if isinstance(seen, Ended):
            return seen.trials
        if (patience.clock() - created).total_seconds() >= patience.timeout_seconds:
            if trouble is not None:
                raise CheckError(f"Experiment {key} cannot be read: {trouble}", reason="KatibUnreachable") from trouble
            raise CheckError(f"Experiment {key} did not end within {patience.timeout_seconds:g} s", reason="TimedOut")
        await asyncio.sleep(patience.poll_seconds)


async def _ensure(api: Api, key: Key, *, plan: TrialPlan, settings: KatibSettings) -> dict[str, Any]:
    """The Experiment as the server has it, created if it was not there."""
    try:
        try:
            return (await api.create(EXPERIMENT, render_experiment(plan, settings))).to_dict()
        except AlreadyExists:
            found = (await api.get(EXPERIMENT, key)).to_dict()
    except InformersError as error:
        raise CheckError(f"Experiment {key} cannot be created: {error}", reason="KatibUnreachable") from error
    if not is_ours(found, plan, settings):
        raise CheckError(
            f"Experiment {key} is somebody else's: it does not carry our operation id and owner",
            reason="NameConflict",
        )
    return found


async def _look(api: Api, key: Key, objective: str, *, uid: str) -> object:
    try:
        experiment = (await api.get(EXPERIMENT, key)).to_dict()
    except NotFound:
        raise CheckError(f"Experiment {key} was deleted before it ended", reason="ExperimentGone") from None
    if experiment["metadata"]["uid"] != uid:
        raise CheckError(f"Experiment {key} was deleted and made anew by somebody else", reason="ExperimentGone")
    trials = await api.list(TRIAL, namespace=key.namespace, labels=f"{EXPERIMENT_LABEL}={key.name}")
    return read_experiment(experiment, [one.to_dict() for one in trials.items], objective=objective)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


@attrs.frozen
class KatibTrials:
    """See TrialRunner: an Experiment in the cluster, talked to on `loop`, waited for in the thread of the check."""

    api: Api
    settings: KatibSettings
    loop: asyncio.AbstractEventLoop
    timeout_seconds: float = 3600.0
    poll_seconds: float = 2.0
    name: str = attrs.field(default="katib", init=False)

    def run(self, plan: TrialPlan, deadline: Patience) -> tuple[Trial, ...]:
        """See TrialRunner.run. Blocks: never call it on the loop itself."""
        patience = ExperimentPatience(self.timeout_seconds, self.poll_seconds)
        work = run_experiment(self.api, plan, settings=self.settings, patience=patience)
        return _wait_for(work, self.loop, deadline)


@attrs.frozen
class KatibCluster:
    """See ClusterTrials: the cluster of the job, as seen on `loop` through `api`. `owner` as in KatibSettings."""

    api: Api
    namespace: str
    owner: Mapping[str, Any]
    loop: asyncio.AbstractEventLoop
    poll_seconds: float = 2.0

    def runner(self, template: TrialTemplate, deadline: Patience) -> TrialRunner | None:
        """See ClusterTrials.runner. Blocks: never call it on the loop itself."""
        if not _wait_for(katib_is_present(self.api, self.namespace), self.loop, deadline):
            return None
        settings = KatibSettings(namespace=self.namespace, owner=self.owner, template=template)
        return KatibTrials(self.api, settings, self.loop, deadline.seconds, self.poll_seconds)


def _wait_for(work: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop, deadline: Patience) -> T:
    """What `work` returns on the loop, waited for in another thread. Raises CheckError when nobody waits any more."""
    submitted = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        while True:
            deadline.check()
            try:
                return submitted.result(min(_TICK_SECONDS, max(deadline.remaining(), 0.001)))
            except concurrent.futures.TimeoutError:
                if submitted.done():
                    raise
    finally:
        submitted.cancel()
