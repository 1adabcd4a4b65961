"""Promotions and InferenceServices as values, for tests of what is pure."""

from datetime import UTC, datetime

import attrs
from promotion_house import promotion, service

from windlass.envtest.workloads.kserve.knative import knative_step
from windlass.envtest.workloads.kserve.memory import Memory
from windlass.envtest.workloads.kserve.standard import standard_step
from windlass.informers.typed import ObjectMeta, structure
from windlass.operators.promotion import Promotion
from windlass.operators.promotion.facts import FINALIZER, Facts
from windlass.operators.promotion.targets.contract import plan_of
from windlass.operators.promotion.targets.knative import KNATIVE
from windlass.operators.promotion.targets.mode import sight_of
from windlass.operators.promotion.targets.standard import STANDARD

__all__ = ("MODES", "NOW", "UID", "Cluster", "facts", "made", "metadata")

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
UID = "uid-1"
MODES = {"Knative": (KNATIVE, knative_step), "Standard": (STANDARD, standard_step)}


def metadata(**changes):
    meta = ObjectMeta(name="digits-2", namespace="default", uid=UID, generation=1, finalizers=(FINALIZER,))
    return attrs.evolve(meta, **changes)


def made(steps=((10, "0s"),), /, *, status=None, **spec):
    """A promotion that was accepted by the server and not yet looked at."""
    found = structure(promotion(steps, **spec), Promotion)
    found = attrs.evolve(found, metadata=metadata())
    return found if status is None else attrs.evolve(found, status=status)


def facts(**seen):
    return Facts(now=seen.pop("now", NOW), **seen)


@attrs.define
class Cluster:
    """One InferenceService and the KServe that follows it, without a server."""

    mode: str = "Knative"
    script: dict = attrs.field(factory=dict)
    now: datetime = NOW
    memory: Memory = attrs.field(factory=Memory)
    found: dict = attrs.field(init=False)

    def __attrs_post_init__(self):
        self.found = service(mode=self.mode)
        self.found["metadata"] |= {"uid": "uid-s", "namespace": "default", "generation": 1, "resourceVersion": "1"}

    def follow(self):
        """KServe catches up."""
        memory = self.memory.scripted(self.script)
        status, self.memory, _ = MODES[self.mode][1](self.found, memory, self.script, now=self.now)
        self.found["status"] = {name: value for name, value in status.items() if value is not None}
        return self

    def sight(self, promotion):
        return sight_of(MODES[self.mode][0], self.found, plan_of(promotion))

    def apply(self, promotion):
        """What the operation on record asks for."""
        plan = plan_of(promotion)
        self.write(MODES[self.mode][0].changed(self.found["spec"], plan, plan.operation))

    def write(self, spec):
        if spec != self.found["spec"]:
            generation = self.found["metadata"]["generation"] + 1
            self.found = {
                **self.found, "spec": spec, "metadata": {**self.found["metadata"], "generation": generation},
            }  # fmt: skip
