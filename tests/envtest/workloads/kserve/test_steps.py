"""The stand-in's own rules, as KServe has them."""

from datetime import UTC, datetime, timedelta

import pytest

from windlass.envtest.workloads.kserve.behaviour import Behaviour
from windlass.envtest.workloads.kserve.knative import knative_step
from windlass.envtest.workloads.kserve.memory import Memory
from windlass.envtest.workloads.kserve.standard import standard_step

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Service:
    def __init__(self, step, annotations=(), **script):
        self.step, self.script, self.memory, self.now = step, script, Memory(), NOW
        self.found = {
            "metadata": {"name": "m", "namespace": "n", "annotations": dict(annotations)},
            "spec": {"predictor": {"model": {"storageUri": "one"}}},
        }

    def follow(self, **predictor):
        self.found["spec"]["predictor"] |= predictor
        status, self.memory, self.wake = self.step(self.found, self.memory, self.script, now=self.now)
        self.found["status"] = {name: value for name, value in status.items() if value is not None}
        return self.found["status"]

    @property
    def component(self):
        return self.found["status"]["components"]["predictor"]

    def shares(self):
        return [(one["revisionName"][-1], one["percent"], one.get("tag")) for one in self.component["traffic"]]


def test_a_percent_is_ignored_until_a_revision_was_rolled_out():
    service = Service(knative_step)
    service.follow(canaryTrafficPercent=10)

    assert service.shares() == [("1", 100, None)]


def test_a_new_template_is_a_revision_and_a_new_percent_is_none():
    service = Service(knative_step)
    service.follow()
    service.follow()
    service.follow(model={"storageUri": "two"}, canaryTrafficPercent=10)
    assert service.shares() == [("2", 10, None), ("1", 90, "prev")]
    service.follow(canaryTrafficPercent=70)

    assert service.shares() == [("2", 70, None), ("1", 30, "prev")]
    assert service.component["latestRolledoutRevision"].endswith("1")


@pytest.mark.parametrize("percent", [None, 100])
def test_a_revision_is_rolled_out_when_it_is_ready_and_has_everything(percent):
    service = Service(knative_step)
    service.follow()
    service.follow(model={"storageUri": "two"}, canaryTrafficPercent=10)
    service.follow(canaryTrafficPercent=percent)

    assert service.component["latestRolledoutRevision"].endswith("2")
    assert service.component["previousRolledoutRevision"].endswith("1")


def test_a_revision_that_is_not_ready_gets_nothing_until_it_is():
    service = Service(knative_step, two=Behaviour(ready_seconds=5))
    service.follow()
    service.follow(model={"storageUri": "two"}, canaryTrafficPercent=10)
    assert {revision for revision, _, _ in service.shares()} == {"1"}
    assert service.wake == 5.0
    service.now += timedelta(seconds=5)
    service.follow()

    assert service.shares() == [("2", 10, None), ("1", 90, "prev")]


@pytest.mark.parametrize("step", [knative_step, standard_step])
@pytest.mark.parametrize(
    ("fails", "transition", "ready"), [("load", "BlockedByFailedLoad", "False"), ("unready", "InProgress", "False")]
)
def test_failures_are_told_as_scripted(step, fails, transition, ready):
    service = Service(step, one=Behaviour(fails=fails))
    status = service.follow()

    assert status["modelStatus"]["transitionStatus"] == transition
    assert {one["type"]: one["status"] for one in status["conditions"]}["Ready"] == ready


def test_a_spec_that_cannot_be_followed_makes_no_revision():
    service = Service(knative_step, two=Behaviour(fails="spec"))
    service.follow()
    service.follow(model={"storageUri": "two"})
    assert service.component["latestCreatedRevision"].endswith("1")
    service.follow(model={"storageUri": "one"})

    assert service.component["latestCreatedRevision"].endswith("1")
    assert service.found["status"]["modelStatus"]["transitionStatus"] == "UpToDate"


ANNOTATED = {"serving.kserve.io/deploymentMode": "Standard"}


def canary(**predictor):
    return [{"trafficPercent": 20, "predictor": {"name": "two", "model": {"storageUri": "two"}, **predictor}}]


def test_a_canary_gets_its_share_once_it_is_ready_and_is_not_started_anew_when_it_becomes_stable():
    service = Service(standard_step, ANNOTATED, two=Behaviour(ready_seconds=5))
    service.follow()
    service.found["spec"]["canary"] = canary()
    (status,) = service.follow()["canaryStatuses"]
    assert (status["ready"], status["trafficPercent"]) == (False, 0)
    service.now += timedelta(seconds=5)
    (status,) = service.follow()["canaryStatuses"]
    assert (status["ready"], status["trafficPercent"]) == (True, 20)
    del service.found["spec"]["canary"]
    status = service.follow(name="two", model={"storageUri": "two"})

    assert {one["type"]: one["status"] for one in status["conditions"]}["Ready"] == "True"


@pytest.mark.parametrize(
    ("annotations", "changes", "why"),
    [
        ({}, {}, "annotation"),
        (ANNOTATED, {"maxReplicas": 3}, "maxReplicas"),
    ],
)
def test_what_admission_would_refuse_is_an_invalid_spec(annotations, changes, why):
    service = Service(standard_step, annotations)
    service.follow()
    service.found["spec"]["canary"] = canary(**changes)
    status = service.follow()["modelStatus"]

    assert (status["transitionStatus"], why in status["lastFailureInfo"]["message"]) == ("InvalidSpec", True)
