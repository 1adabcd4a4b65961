"""A TrainJob's steps are those of its runtime, with what the TrainJob says put over them. Pure.

What a TrainJob may say: the trainer's image, command, arguments, variables and resources; and, by `runtimePatches`,
labels, annotations and some fields of the Pods of a step. This module does not know what becomes of the steps.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from windlass.envtest.workloads.objects import Json, at

__all__ = ("ANCESTOR", "Runtime", "Step", "runtime_of")

ANCESTOR = "trainer.kubeflow.org/trainjob-ancestor-step"
_CONTAINER = "node"
_KEYED = ("volumes", "imagePullSecrets", "schedulingGates")


@attrs.frozen
class Step:
    """One replicated job: its name, how many Pods, and their template."""

    name: str
    count: int
    template: Json


@attrs.frozen
class Runtime:
    """The spec of a TrainingRuntime or a ClusterTrainingRuntime."""

    spec: Mapping[str, Any]

    @property
    def processes(self) -> str:
        """How many processes a node runs, unless the TrainJob says."""
        return str(at(self.spec, "mlPolicy", "torch", "numProcPerNode") or "auto")

    def steps(self, job: Json) -> list[Step]:
        """The steps, in the order in which they run: the trainer last."""
        found = [_step(job, self.spec, one) for one in self._jobs()]
        return sorted(found, key=lambda step: self.ancestor(step.name) == "trainer")

    def ancestor(self, name: str) -> str:
        """The step of a TrainJob that a replicated job does."""
        return next((_ancestor(one) for one in self._jobs() if one["name"] == name), "")

    def _jobs(self) -> Sequence[Json]:
        return at(self.spec, "template", "spec", "replicatedJobs") or ()


def runtime_of(job: Json, others: Mapping[str, Iterable[Json]]) -> Runtime | None:
    """The runtime to which a TrainJob refers; None if there is none."""
    reference, namespace = job["spec"]["runtimeRef"], job["metadata"]["namespace"]
    for one in others.get(reference.get("kind") or "ClusterTrainingRuntime", ()):
        if one["metadata"]["name"] == reference["name"] and one["metadata"].get("namespace") in (None, "", namespace):
            return Runtime(one["spec"])
    return None


def _ancestor(replicated: Json) -> str:
    return str(at(replicated, "template", "metadata", "labels", ANCESTOR) or "")


def _step(job: Json, spec: Mapping[str, Any], replicated: Json) -> Step:
    template: Json = dict(at(replicated, "template", "spec", "template") or {})
    count = 1
    if _ancestor(replicated) == "trainer":
        trainer = job["spec"].get("trainer") or {}
        count = int(trainer.get("numNodes") or at(spec, "mlPolicy", "numNodes") or 1)
        template = _with_trainer(template, trainer)
    for patch in job["spec"].get("runtimePatches") or ():
        for one in at(patch, "trainingRuntimeSpec", "template", "spec", "replicatedJobs") or ():
            if one["name"] == replicated["name"]:
                template = _patched(template, at(one, "template", "spec", "template") or {})
    return Step(str(replicated["name"]), count, template)


def _with_trainer(template: Json, trainer: Json) -> Json:
    spec = dict(template.get("spec") or {})
    containers = []
    for one in spec.get("containers") or ():
        if one["name"] == _CONTAINER:
            given = {name: trainer[name] for name in ("image", "command", "args") if trainer.get(name)}
            env = _keyed([*(one.get("env") or ()), *(trainer.get("env") or ())])
            resources = trainer.get("resourcesPerNode") or one.get("resources") or {}
            one = one | given | {"env": env, "resources": resources}  # noqa: PLW2901  # the same container, filled in
        containers.append(one)
    return template | {"spec": spec | {"containers": containers}}


def _patched(template: Json, patch: Json) -> Json:
    metadata, spec = dict(template.get("metadata") or {}), dict(template.get("spec") or {})
    for name in ("labels", "annotations"):
        metadata[name] = {**(metadata.get(name) or {}), **(at(patch, "metadata", name) or {})}
    for name, value in (patch.get("spec") or {}).items():
        if name in ("containers", "initContainers"):
            changes = {one["name"]: one for one in value}
            spec[name] = [_container(one, changes.get(one["name"], {})) for one in spec.get(name) or ()]
        elif name in _KEYED:
            spec[name] = _keyed([*(spec.get(name) or ()), *value])
        else:
            spec[name] = value
    return template | {"metadata": metadata, "spec": spec}


def _container(one: Json, change: Json) -> Json:
    mounts = _keyed([*(one.get("volumeMounts") or ()), *(change.get("volumeMounts") or ())])
    rest = {name: value for name, value in change.items() if name == "securityContext"}
    return one | rest | ({"volumeMounts": mounts} if mounts else {})


def _keyed(items: Iterable[Json]) -> list[Json]:
    """The items by name; a later one takes the place of an earlier one."""
    return list({one["name"]: one for one in items}.values())
