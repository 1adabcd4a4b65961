"""How far two arms' predictions lie apart: by hand, for every kind of prediction, and held against simulations."""

import math

import attrs
import numpy as np
import pytest
from seeds import announced_seed

from windlass.serving.experiments.drift import REFERENCE, Cuts, log_drift, prediction, stability_index
from windlass.serving.model import LoadedModel
from windlass.serving.tensors import DATATYPES, TensorSpec


def cuts_of(values):
    cuts = Cuts()
    for value in values:
        cuts = cuts.and_one(value)
    return cuts


def counts_of(cuts, values):
    counts = ()
    for value in values:
        counts = cuts.counted(counts, value)
    return counts


def test_the_index_is_that_of_the_formula():
    """T13: worked out by hand; an empty bin is no infinity, and one that neither arm has is none."""
    p, q = 900.5 / 1001, 500.5 / 1001
    expected = (q - p) * math.log(q / p) + (p - q) * math.log((1 - q) / (1 - p)) - 2 / 1000
    assert math.isclose(stability_index((900, 0, 100), (500, 0, 500)), expected)
    assert 5 < stability_index((1000, 0), (0, 1000)) < 20
    assert stability_index((90, 10), (90, 10)) == stability_index((), (5, 5)) == stability_index((5,), ()) == 0.0


def test_what_chance_alone_adds_to_the_index_is_taken_off():
    """T13: ten equal shares, a hundred in each arm; without the correction the mean would be about 0.18."""
    rng = np.random.default_rng(announced_seed())
    arms = rng.multinomial(100, [0.1] * 10, size=(2000, 2)).tolist()
    assert np.mean([stability_index(*map(tuple, pair)) for pair in arms]) < 0.1


def test_bins_are_deciles_of_the_controls_first_predictions():
    cuts = cuts_of(range(REFERENCE))
    assert cuts == Cuts(edges=tuple(map(float, range(10, 100, 10))))
    assert counts_of(cuts, (-5, 10, 10.5, 99, math.inf, math.nan, math.nan)) == (2, 1, 0, 0, 0, 0, 0, 0, 0, 2, 2)


def test_labels_have_bins_of_their_own():
    """T13: a label that nobody gave before lies between, below or above them."""
    cuts = cuts_of([0, 2] * (REFERENCE // 2))
    assert [counts_of(cuts, (label,)).index(1) for label in (-1, 0, 1, 2, 3)] == [0, 1, 2, 3, 4]
    always = cuts_of([7] * REFERENCE)
    assert [counts_of(always, (label,)).index(1) for label in (6, 7, 8, math.nan)] == [0, 1, 2, 3]


def test_the_same_number_in_fewer_bits_is_the_same():
    cuts = cuts_of([0.1] * REFERENCE)
    assert counts_of(cuts, (0.1,)) == counts_of(cuts, (float(np.float32(0.1)),))


def test_predictions_that_are_no_numbers_can_be_a_reference():
    assert counts_of(cuts_of([math.nan] * REFERENCE), (0.0, math.nan, math.nan)) == (1, 2)


def test_memory_does_not_grow_with_predictions():
    """T13: at most a hundred numbers before there are bins, and then a count for each of twenty bins at most."""
    rng = np.random.default_rng(announced_seed())
    cuts = Cuts()
    for count in range(1, REFERENCE):
        cuts = cuts.and_one(rng.normal())
        assert (len(cuts.values), cuts.edges) == (count, None)
    cuts = cuts.and_one(rng.normal())
    counts = counts_of(cuts, rng.normal(size=10_000))
    assert (cuts.values, sum(counts)) == ((), 10_000)
    assert len(counts) <= 20


def evidence(shares, share, *, runs, samples, look):
    """Of each run the most evidence at any look from a hundred in each arm on; control and treatment have `shares`."""
    rng = np.random.default_rng(announced_seed())
    for _ in range(runs):
        treated = rng.binomial(look, share, size=samples // look)
        pairs = [rng.multinomial(n, of).cumsum(axis=0) for n, of in ((look - treated, shares[0]), (treated, shares[1]))]
        looks = [(tuple(a), tuple(b)) for a, b in zip(*(one.tolist() for one in pairs), strict=True)]
        yield max((log_drift(*pair) for pair in looks if min(map(sum, pair)) >= 100), default=0.0)


EVEN = np.full(10, 0.1)
RARE = np.array([0.9, *[0.002] * 50])
LABELS = np.array([0.98, 0.02])


@pytest.mark.parametrize("share", [0.5, 0.1, 0.05])
@pytest.mark.parametrize("shares", [EVEN, RARE, LABELS], ids=["even", "rare", "labels"])
def test_without_drift_the_evidence_rarely_grows_however_often_one_looks(shares, share):
    """T13, T14: at most 5 % of the experiments ever reach 1 / 0.05, whatever the index; 1 % do."""
    found = [one >= math.log(20) for one in evidence((shares, shares), share, runs=300, samples=4000, look=100)]
    assert sum(found) / len(found) <= 0.05


@pytest.mark.parametrize("share", [0.5, 0.05])
def test_drift_is_found(share):
    """T13: a normal distribution that moved by half its standard deviation, which is an index of about 0.25."""
    moved = np.array([0.218, 0.150, 0.125, 0.108, 0.094, 0.083, 0.072, 0.062, 0.050, 0.038])
    found = [one >= math.log(20) for one in evidence((EVEN, moved), share, runs=100, samples=10_000, look=100)]
    assert sum(found) >= 99


@attrs.frozen
class Answering:
    outputs: tuple[TensorSpec, ...]


def predicted(datatype, values):
    array = np.array(values, dtype=DATATYPES[datatype])
    model = Answering((TensorSpec("y", datatype, array.shape), TensorSpec("z", "FP64", (1,))))
    return prediction(LoadedModel("m", "1", model), {"z": np.array([9.0]), "y": array})


@pytest.mark.parametrize(
    ("datatype", "values", "expected"),
    [
        ("FP64", 2.5, 2.5),
        ("FP32", [0.5, 7.0], 0.5),
        ("INT64", [[3], [4]], 3.0),
        ("BOOL", [True], 1.0),
        ("FP32", [[0.1, 0.7, 0.2], [1.0, 0.0, 0.0]], 1.0),
        ("FP64", [[[0.0, 1.0], [5.0, 2.0]]], 2.0),
        ("FP64", [], None),
        ("BYTES", [b"cat"], None),
    ],
    ids=["scalar", "rows", "column", "bool", "classes", "matrix", "no rows", "text"],
)
def test_a_prediction_is_the_first_rows_number_or_the_place_of_its_largest(datatype, values, expected):
    """T13."""
    assert predicted(datatype, values) == expected
