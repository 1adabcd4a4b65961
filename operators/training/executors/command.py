"""The executor `process`: any command on the controller's own machine, if whoever runs the controller allows it.

A custom resource must not be able to run commands where the controller runs, so nothing is started, and the job fails,
unless it was allowed: by `TrainingSettings.allow_processes`, which no resource can set. This module does not know how
the process is kept.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import attrs

from windlass.operators.errors import ExecutorNotAllowed, HyperparametersInvalid
from windlass.operators.training.executors.contract import (
    Active,
    Broken,
    Fault,
    Lost,
    NotStarted,
    Observation,
    Run,
    Workbench,
)
from windlass.operators.training.executors.environment import config_of, environment_of
from windlass.operators.training.executors.exits import Exit
from windlass.operators.training.executors.foreign import Left, left_in, prepare, recorded
from windlass.operators.training.executors.process import ProcessExecutor
from windlass.operators.training.files import canonical_json, replace_file
from windlass.operators.training.runfolder import RunFolder
from windlass.operators.training.supervisor import Exited, State, Working
from windlass.operators.training.types import TrainingJobSpec, Workload

__all__ = ("NAME", "CommandExecutor", "CommandPlan", "conclude")

NAME: Final = "process"
_LOCK_SECONDS: Final = 10.0
_KEEPER: Final = "windlass.operators.training.keeper"


@attrs.frozen
class CommandPlan:
    """What will be started: `command` is canonical JSON of the command and its environment, `config` the run's."""

    run: Run
    command: bytes
    config: bytes


@attrs.frozen
class CommandExecutor(ProcessExecutor):
    """See TrainingExecutor. `allowed` is the owner's word; a subclass that chooses the command itself may give it."""

    allowed: bool = False
    name: str = NAME

    def check(self, spec: TrainingJobSpec) -> None:
        """See TrainingExecutor.check. Raises ExecutorNotAllowed too."""
        if not self.allowed:
            raise ExecutorNotAllowed(
                "the executor process runs commands on the machine of the controller, and this controller does not "
                "allow it: start it with --allow-processes, or TrainingSettings(allow_processes=True)"
            )
        workload = spec.workload or Workload()
        faults = [] if workload.command else ["workload.command: expected a program and its arguments, found none"]
        faults += [
            f"workload.{name}: a process on this machine has none; leave it out" for name in _superfluous(workload)
        ]
        faults += [f"executorConfig.{name}: unknown; {NAME} has no options" for name in spec.executor_config]
        for number, one in enumerate(workload.env):
            if not {"name"} <= set(one) <= {"name", "value"} or not all(isinstance(part, str) for part in one.values()):
                faults.append(f"workload.env[{number}]: expected a name and a value, both texts, found {dict(one)!r}")
        if faults:
            raise HyperparametersInvalid(tuple(faults))

    def render(self, spec: TrainingJobSpec, run: Run) -> CommandPlan:  # plans are the executor's own
        """See TrainingExecutor.render."""
        workload, config = spec.workload or Workload(), config_of(spec, run)
        own = {str(one["name"]): str(one.get("value", "")) for one in workload.env}
        told = {
            "command": [*workload.command, *workload.args],
            "environment": {**own, **environment_of(spec, run, config)},
        }
        return CommandPlan(run, canonical_json(told), config)

    async def start(self, plan: CommandPlan, workbench: Workbench) -> None:  # type: ignore[override]
        """See TrainingExecutor.start."""
        if not self.allowed:  # the owner may have changed his mind since the job was accepted
            raise ExecutorNotAllowed("this controller does not allow the executor process any more")
        folder = workbench.folder(plan.run.id)
        await asyncio.to_thread(_prepare, folder, plan)
        await workbench.supervisor.start(
            plan.run.key, plan.run.id, attempt=plan.run.attempt, module=_KEEPER, folder=folder.path
        )

    async def observe(self, run: Run, workbench: Workbench) -> Observation:
        """See TrainingExecutor.observe."""
        # The process is asked before the folder: an attempt that ends in between has then written its last word.
        state = workbench.supervisor.state(run.id)
        working = isinstance(state, Working) and state.attempt == run.attempt
        left = await asyncio.to_thread(left_in, workbench.folder(run.id), run, over=not working)
        if isinstance(state, Working) and working:
            return Active(state.progress or left.progress)
        return conclude(state, run.attempt, left)


def conclude(state: State, attempt: int, left: Left) -> Observation:
    """What a command that is not at work, and the folder, say together. Pure (A9, A11)."""
    if left.record is not None:
        return recorded(left.record)
    if not isinstance(state, Exited) or state.attempt != attempt:
        # Nobody here started this attempt, or it died with the controller that did.
        why = "the controller was restarted"
        return Lost(why, counted=False, resume_step=left.step) if left.begun else NotStarted()
    # The keeper tells how its command ended; a negative code is the keeper's own end.
    how = Exit(state.code if state.code >= 0 else 128 - state.code, message=state.last_line)
    if how.meaning == "succeeded":
        return Broken(Fault("TrainerFailed", f"the command ended {left.without_result}"), how)
    if how.meaning == "permanent":
        return Broken(Fault("TrainerFailed", f"the command ended with {how}"), how, left.step)
    return Lost(f"the command ended with {how}", counted=True, resume_step=left.step, exit=how)


def _superfluous(workload: Workload) -> list[str]:
    """Fields that would be silently ignored, by their names in the spec."""
    kept: Mapping[str, Any] = {"command": workload.command, "args": workload.args, "env": workload.env}
    bare = attrs.evolve(Workload(), **kept)
    fields = attrs.fields_dict(Workload)
    names = [name for name in fields if getattr(workload, name) != getattr(bare, name)]
    return [_camel(name) for name in names]


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(one.capitalize() for one in others)


def _prepare(folder: RunFolder, plan: CommandPlan) -> None:
    # Fencing (A10): nothing is written while an earlier attempt may still write.
    with folder.lock(timeout_seconds=_LOCK_SECONDS):
        prepare(folder, plan.run, plan.config)
        replace_file(folder.path / "command.json", plan.command)
