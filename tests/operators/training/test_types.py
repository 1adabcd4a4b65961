"""What an API server accepts as a TrainingJob, and how it shows one."""

import copy

import pytest

from windlass.informers.typed import structure, unstructure
from windlass.manifests import crd, faults, info_of, schema_of
from windlass.operators.training.sample import sample_job
from windlass.operators.training.types import TrainingJob

SCHEMA = schema_of(TrainingJob)["properties"]["spec"]


def edited(path, value):
    job = copy.deepcopy(sample_job("file:///t"))
    *parents, last = path.split(".")
    place = job
    for name in parents:
        place = place[name]
    if value is KeyError:
        del place[last]
    else:
        place[last] = value
    return job


def test_the_kind_is_called_as_the_documentation_says():
    info = info_of(TrainingJob)

    assert (
        info.resource.plural,
        info.short_names,
        info.resource.api_version,
    ) == ("trainingjobs", ("tj",), "ai.windlass.dev/v1alpha1")


def test_kubectl_get_shows_phase_epoch_accuracy_and_age():
    version = crd(TrainingJob)["spec"]["versions"][0]

    shown = [column["name"] for column in version["additionalPrinterColumns"] if not column.get("priority")]
    assert shown == ["Phase", "Epoch", "Accuracy", "Held-out", "Age"]
    assert version["subresources"] == {"status": {}}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.data", KeyError),
        ("spec.data.uri", KeyError),
        ("spec.data.uri", ""),
        ("spec.data.uri", "relative/path"),
        ("spec.data.version", 1.5),
        ("spec.executor", KeyError),
        ("spec.executor", ""),
        ("spec.output", KeyError),
        ("spec.output.model", "Digits"),
        ("spec.output.model", "-x"),
        ("spec.output.model", "x" * 64),
        ("spec.output.model", "../x"),
        ("spec.seed", -1),
        ("spec.seed", "7"),
        ("spec.validation.holdout", 0),
        ("spec.validation.holdout", 1),
        ("spec.validation.minAccuracy", 1.1),
        ("spec.validation.minAccuracy", "high"),
        ("spec.hyperparameters", [1]),
    ],
)
def test_a_spec_that_breaks_a_bound_is_refused_and_the_field_is_named(path, value):
    found = faults(edited(path, value)["spec"], SCHEMA)

    assert found
    assert any(path.rpartition(".")[2] in fault for fault in found)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.data.uri", "/absolute"),
        ("spec.data.uri", "s3://bucket/table"),
        ("spec.data.version", "latest"),
        ("spec.data.version", KeyError),
        ("spec.seed", KeyError),
        ("spec.validation", KeyError),
        ("spec.validation.minAccuracy", 1),
        ("spec.hyperparameters", {}),
        ("spec.hyperparameters", {"any": ["thing", {"else": None}]}),
    ],
)
def test_a_spec_within_its_bounds_is_accepted_and_reads_back(path, value):
    job = edited(path, value)

    assert faults(job["spec"], SCHEMA) == []
    typed = structure(job, TrainingJob)
    assert typed == structure(unstructure(typed), TrainingJob)
