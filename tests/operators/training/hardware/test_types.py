"""What an API server accepts as `spec.hardware`."""

import copy

import pytest

from windlass.manifests import crd, faults, schema_of
from windlass.operators.training.sample import sample_job
from windlass.operators.training.types import TrainingJob

SCHEMA = schema_of(TrainingJob)["properties"]["spec"]
WHOLE = {
    "classes": ["nvidia-h100", "google.com/tpu", "nvidia.com/mig-1g.5gb", "cpu"],
    "devices": 8,
    "form": "DRA",
    "alignment": "numaNode",
    "topology": {"required": "rack"},
    "allowMixed": True,
    "moveWhilePending": False,
    "cpu": {"resources": {"cpu": "4", "memory": "8Gi"}, "batchSize": 16, "threads": 4},
}


def wrong(**hardware):
    job = copy.deepcopy(sample_job("file:///t"))
    job["spec"]["hardware"] = hardware
    return faults(job["spec"], SCHEMA)


def test_everything_that_can_be_said_is_accepted():
    assert wrong(**WHOLE) == []
    assert wrong(classes=["cpu"]) == []


@pytest.mark.parametrize(
    "hardware",
    [
        {},
        {"classes": []},
        {"classes": ["GPU"]},
        {"classes": ["-x"]},
        {"classes": ["cpu"] * 9},
        {"classes": ["nvidia"], "devices": 0},
        {"classes": ["nvidia"], "devices": 0.5},
        {"classes": ["nvidia"], "form": "dra"},
        {"classes": ["nvidia"], "topology": {"required": "ra ck"}},
        {"classes": ["cpu"], "cpu": {"batchSize": 0}},
        {"classes": ["cpu"], "cpu": {"threads": 0}},
        {"classes": ["cpu"], "cpu": {"resources": {"cpu": "four"}}},
    ],
    ids=str,
)
def test_what_no_hardware_can_be_is_refused_by_the_schema(hardware):
    assert wrong(**hardware)


def test_rules_say_what_must_not_stand_together():
    spec = crd(TrainingJob)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    hardware = spec["hardware"]

    rules = [one["rule"] for one in hardware["x-kubernetes-validations"]]
    assert rules == ["!has(self.alignment) || self.form == 'DRA'"]
    assert hardware["properties"]["topology"]["x-kubernetes-validations"][0]["rule"] == (
        "has(self.required) != has(self.preferred)"
    )
