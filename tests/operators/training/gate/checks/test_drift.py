"""Rows of today are compared with those of the training, feature by feature, in bands that are convention (B7)."""

import attrs
import numpy as np
import pytest
from gate_subjects import subject

from windlass.operators.errors import CheckError
from windlass.operators.training.gate.checks.drift import DRIFT
from windlass.operators.training.gate.contract import Deadline
from windlass.operators.training.gate.subject import Sample


def sample(features):
    return Sample(features, np.zeros(len(features), np.int64))


def rows(count=2000, shift=0.0, seed=0):
    """Three features, of which the second is shifted."""
    features = np.random.default_rng(seed).normal(size=(count, 3))
    features[:, 1] += shift
    return sample(features)


def measure(training, recent, **parameters):
    return DRIFT.measure(subject(training=training, recent=recent), parameters, Deadline(60))


@pytest.mark.parametrize(
    ("shift", "outcome", "reason"),
    [(0.0, "Passed", "NoDrift"), (0.4, "Passed", "DriftWarning"), (0.8, "Failed", "Drifted")],
)
def test_the_worst_feature_decides_by_the_bands(shift, outcome, reason):
    """B7: below 0.10 good, to 0.25 a warning, above it not."""
    found = measure(rows(), rows(shift=shift, seed=3))

    assert (found.outcome, found.reason) == (outcome, reason)
    assert shift == 0.0 or found.details["features"][0]["feature"] == 1
    assert found.details["features"][0]["psi"] == found.statistic


def test_the_bands_include_their_lower_and_upper_ends():
    found = measure(rows(), rows(shift=0.4, seed=3))

    at = found.statistic
    assert measure(rows(), rows(shift=0.4, seed=3), warn=at, fail=at, level=1e-300).reason == "DriftWarning"
    above = float(np.nextafter(at, 1))
    assert measure(rows(), rows(shift=0.4, seed=3), warn=above, fail=above, level=1e-300).reason == "NoDrift"
    assert measure(rows(), rows(shift=0.4, seed=3), warn=0.01, fail=float(np.nextafter(at, 0))).outcome == "Failed"


def test_what_the_bins_cannot_see_the_second_test_warns_of():
    """Within each decile of the training, everything moved to its lower end: the index is 0."""
    training = np.arange(1000.0)[:, None]
    recent = np.floor(training / 100) * 100 + 1

    found = measure(sample(training), sample(recent), level=0.05)

    assert found.statistic < 0.01
    assert (found.outcome, found.reason, found.details["differing"]) == ("Passed", "DriftWarning", 1)


def test_many_features_do_not_warn_by_chance_alone():
    rng = np.random.default_rng(3)

    found = measure(sample(rng.normal(size=(1000, 64))), sample(rng.normal(size=(1000, 64))))

    assert found.reason == "NoDrift"
    assert len(found.details["features"]) == 16


@pytest.mark.parametrize(
    ("training", "recent", "reason"),
    [
        (None, rows(), "DataMissing"),
        (rows(), None, "DataMissing"),
        (rows(199), rows(), "DataMissing"),
        (rows(), rows(199), "DataMissing"),
        (rows(), sample(np.full((300, 3), np.nan)), "DataNotFinite"),
        (rows(), sample(np.zeros((300, 2))), "DataMalformed"),
        (sample(np.zeros((300, 0))), sample(np.zeros((300, 0))), "DataMalformed"),
    ],
    ids=["no training", "no recent", "few of training", "few recent", "NaN", "other features", "no features"],
)
def test_without_rows_to_compare_there_is_no_answer(training, recent, reason):
    """B1."""
    with pytest.raises(CheckError) as caught:
        measure(training, recent)

    assert caught.value.reason == reason


def test_bands_in_the_wrong_order_are_refused():
    with pytest.raises(CheckError, match=r"parameters\.warn: expected at most fail"):
        measure(rows(), rows(), warn=0.3)


def test_the_deadline_ends_it():
    late = Deadline(60)
    late.give_up()

    with pytest.raises(CheckError) as caught:
        DRIFT.measure(attrs.evolve(subject(), training=rows(), recent=rows()), {}, late)
    assert caught.value.reason == "TimedOut"
