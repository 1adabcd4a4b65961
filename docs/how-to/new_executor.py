"""Two executors of one's own: windlass run --no-training --operator new_executor:setup"""

import os
import sys
from pathlib import Path

import attrs

from windlass.informers import Pod
from windlass.operators.errors import HyperparametersInvalid
from windlass.operators.training import TrainingSettings
from windlass.operators.training import setup as setup_training
from windlass.operators.training.executors.command import CommandExecutor
from windlass.operators.training.executors.hyperparameters import Parameter, read_hyperparameters
from windlass.operators.training.executors.objects import AtWork, Ended, Finished, ObjectExecutor, Waiting
from windlass.operators.training.executors.pods import exit_of, pod_template, waiting_for
from windlass.operators.training.types import Workload

TRAINER = Path(__file__).with_name("train.py")  # of docs/examples/own-trainer, or one of yours


class PodExecutor(ObjectExecutor):
    """The work is an object in the cluster: a bare Pod."""

    name = "pod"
    resource = Pod

    def check(self, spec):
        if spec.workload is None or not spec.workload.image:
            raise HyperparametersInvalid(("workload.image: expected the image of a container, found none",))

    def body(self, spec, run, environment):
        return pod_template(spec.workload, run, environment)

    def read(self, child, pods):
        phase = child.get("status", {}).get("phase", "Pending")
        if phase == "Succeeded":
            return Finished()
        if phase == "Failed":
            return Ended(exit_of(pods))
        return AtWork() if phase == "Running" else Waiting(waiting_for(pods))

    def suspension(self, *, suspended):  # noqa: ARG002
        return None  # a Pod cannot be suspended: it is deleted, and another attempt goes on


class DigitsExecutor(CommandExecutor):
    """The work is a process on this machine, and the command is ours: no word of a spec becomes one."""

    parameters = (Parameter("epochs", 30, 1, 10_000), Parameter("learningRate", 0.5, 0.0, 10.0, open_minimum=True))

    def check(self, spec):
        read_hyperparameters(self.parameters, spec.hyperparameters)

    def render(self, spec, run):
        values = read_hyperparameters(self.parameters, spec.hyperparameters)
        command = Workload(command=(sys.executable, "-P", str(TRAINER)))
        return super().render(attrs.evolve(spec, workload=command, hyperparameters=values), run)


def settings():
    folder = Path(os.environ.get("WINDLASS_FOLDER", "windlass-folder"))
    return TrainingSettings(state=folder / "state", models=folder / "models")


def setup(manager):
    chosen = settings()
    for executor in (PodExecutor(), DigitsExecutor(allowed=True, name="digits")):
        chosen.executors.register(executor.name, executor, replace=True)
    setup_training(manager, chosen)
