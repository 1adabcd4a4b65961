"""The example of a check, installed as its readers would install it, found by its entry point, and run in a gate."""

import sys

import numpy as np
import pytest
from packages import install

from windlass.operators.training.gate.registry import check_registry
from windlass.operators.training.gate.runner import run_gate
from windlass.operators.training.gate.subject import Classifier, Sample, Subject
from windlass.operators.training.gate.types import CheckSpec, GateSpec

pytestmark = pytest.mark.realtime(limit=120)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    return install("check-plugin", tmp_path_factory.mktemp("plugin"))


@pytest.fixture
def registry(installed, monkeypatch):
    monkeypatch.syspath_prepend(str(installed))
    yield check_registry()
    sys.modules.pop("windlass_calibration_check", None)


def says(probability):
    """A model that is always as sure, and right in 80 of 100 rows."""
    rng = np.random.default_rng(0)
    sample = Sample(rng.normal(size=(500, 2)), (np.arange(500) % 5 == 0).astype(np.int64))
    answers = np.tile([probability, 1 - probability], (500, 1))
    model = Classifier("a" * 64, np.arange(2), lambda features: answers[: len(features)])
    return Subject(model=model, evaluation=sample)


async def verdict(registry, folder, subject, **parameters):
    gate = GateSpec((CheckSpec("sure", "calibration", parameters=parameters),))
    return await run_gate(gate, subject, registry=registry, evidence=folder)


async def test_an_installed_check_is_found_and_described(registry):
    assert "calibration" in registry.names()
    info = registry.info("calibration")
    assert info.version == "0.3.0"
    assert info.origin == "windlass_calibration_check:CALIBRATION of the package windlass-calibration-check"


async def test_it_opens_the_gate_for_a_model_that_knows_how_sure_it_may_be(registry, tmp_path):
    good = await verdict(registry, tmp_path, says(0.8), maxError=0.05)
    bad = await verdict(registry, tmp_path, says(0.99), maxError=0.05)

    assert (good.passed, good.checks[0].statistic) == (True, pytest.approx(0.0))
    assert (bad.passed, bad.checks[0].statistic) == (False, pytest.approx(0.19))
    assert (tmp_path / f"{bad.checks[0].evidence_sha256}.json").exists()


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"maxError": 2}, "InvalidParameters"),
        ({}, "InvalidParameters"),
        ({"maxError": 1, "minSamples": 501}, "DataMissing"),
    ],
)
async def test_what_it_cannot_tell_blocks(registry, tmp_path, parameters, reason):
    found = await verdict(registry, tmp_path, says(0.8), **parameters)

    assert (found.passed, found.checks[0].outcome, found.checks[0].reason) == (False, "Error", reason)
