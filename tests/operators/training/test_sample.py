"""The sample job is a job like any other."""

import json

from windlass.informers.typed import structure
from windlass.manifests import faults, schema_of
from windlass.operators.training.sample import sample_job
from windlass.operators.training.types import TrainingJob


def test_the_schema_of_its_kind_accepts_it():
    schema = schema_of(TrainingJob)["properties"]["spec"]

    assert faults(sample_job("file:///t")["spec"], schema) == []


def test_it_structures_and_is_plain_json():
    manifest = sample_job("file:///t")

    assert manifest == json.loads(json.dumps(manifest))
    job = structure(manifest, TrainingJob)
    assert (
        str(job.key),
        job.spec.data.uri,
        job.spec.data.version,
        job.spec.validation.min_accuracy,
    ) == ("default/digits", "file:///t", 0, 0.93)
