"""Warm-up: what a model must have answered before it serves, and where it will run."""

import itertools

import attrs
import numpy as np
import pytest

from windlass.serving.errors import ModelError
from windlass.serving.model import BATCHED_FROM_SECONDS, INLINE_SECONDS
from windlass.serving.policy import Batching, Policy
from windlass.serving.repository.warmup import synthetic, warm_up
from windlass.serving.runtimes.linear import LinearModel
from windlass.serving.tensors import DATATYPES, TensorSpec


@attrs.frozen
class Timed:
    """A model on a clock of its own: each row takes `seconds_per_row`."""

    seconds_per_row: float
    now: list[float] = attrs.field(factory=lambda: [0.0])
    calls: list[int] = attrs.field(factory=list)
    first_seconds: float = 0.0
    name: str = "timed"
    version: str = "1"
    platform: str = "test_test"
    inputs: tuple[TensorSpec, ...] = (TensorSpec("x", "FP32", (-1, 2)),)
    outputs: tuple[TensorSpec, ...] = (TensorSpec("x", "FP32", (-1, 2)),)

    def predict(self, inputs, /):
        rows = len(inputs["x"])
        self.now[0] += self.seconds_per_row * rows + (0 if rows in self.calls else self.first_seconds)
        self.calls.append(rows)
        return inputs


def warmed(model):
    return warm_up("m", model, clock=lambda: model.now[0])


@pytest.mark.parametrize(
    ("seconds_per_row", "rows"),
    [(INLINE_SECONDS / 1000, 256), (INLINE_SECONDS / 100, 16), (INLINE_SECONDS / 2, 1)],
)
def test_a_model_runs_inline_up_to_the_largest_batch_that_is_fast_enough(seconds_per_row, rows):
    assert rows * 2 == warmed(Timed(seconds_per_row)).inline_elements


def test_a_slow_model_never_runs_inline_and_is_not_measured_at_length():
    model = Timed(1.0)
    assert warmed(model).inline_elements == -1
    assert model.calls == [1]


@pytest.mark.parametrize(
    ("seconds_per_row", "rows_max", "calls", "inline"),
    [(1e-9, 8, [1, 8], 8), (1e-9, 300, [1, 16, 256, 300], 300), (INLINE_SECONDS / 2, 32, [1, 16, 32], 1)],
)
def test_a_model_that_batches_is_tried_up_to_its_most_rows(seconds_per_row, rows_max, calls, inline):
    """W2: a runtime that allocates by size would do so on the first full batch otherwise."""
    model = Timed(seconds_per_row)
    loaded = warm_up("m", model, policy=Policy(batching=Batching(rows_max=rows_max)), clock=lambda: model.now[0])
    assert sorted(set(model.calls)) == calls
    assert (loaded.inline_elements, loaded.policy.batching.rows_max) == (2 * inline, rows_max)


@pytest.mark.parametrize(("share", "direct"), [(0.9, True), (1.1, False)])
def test_a_model_that_gains_nothing_from_batching_is_not_batched(share, direct):
    model = Timed(BATCHED_FROM_SECONDS * share)
    policy = Policy(batching=Batching(rows_max=4))
    assert warm_up("m", model, policy=policy, clock=lambda: model.now[0]).direct is direct
    assert warm_up("m", model, clock=lambda: model.now[0]).direct is False
    policy = Policy(batching=Batching(rows_max=4, always=True))
    assert warm_up("m", model, policy=policy, clock=lambda: model.now[0]).direct is False


def test_a_model_whose_outputs_do_not_count_rows_cannot_batch():
    model = Timed(0.0, outputs=(TensorSpec("x", "FP32", (3, 2)),))
    with pytest.raises(ModelError, match=r"^batching: 'x' has shape \[3, 2\], and batching needs -1 first$"):
        warm_up("m", model, policy=Policy(batching=Batching()))


def test_a_model_that_loses_rows_of_a_full_batch_does_not_serve():
    """DB13, before anybody asks."""

    class Losing(Timed):
        def predict(self, inputs, /):
            return {"x": inputs["x"][:20]}

    with pytest.raises(ModelError, match="output 'x' has 20 rows for 32"):
        warm_up("m", Losing(0.0), policy=Policy(batching=Batching()))


def test_the_first_run_of_a_batch_does_not_count():
    """W3: the first run of a session is many times slower."""
    assert warmed(Timed(1e-9, first_seconds=INLINE_SECONDS * 10)).inline_elements == 512


def test_inputs_are_made_for_every_datatype():
    specs = tuple(TensorSpec(name, name, (-1, 3, -1)) for name in DATATYPES)
    for spec in specs:
        array = synthetic(specs, 4)[spec.name]
        assert array.shape == (4, 3, 1)
        assert DATATYPES[spec.datatype] == array.dtype


def test_a_model_that_raises_does_not_serve():
    class Broken(LinearModel):
        def predict(self, inputs, /):
            raise ZeroDivisionError("by zero")

    with pytest.raises(ModelError, match="warm-up with zeros failed: ZeroDivisionError: by zero"):
        warm_up("m", Broken())


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        pytest.param({}, "did not return its output 'prediction'", id="missing"),
        pytest.param({"prediction": np.zeros(1, np.float32)}, "is float32, expected FP64", id="datatype"),
        pytest.param({"prediction": np.zeros((1, 1))}, r"has shape \(1, 1\)", id="rank"),
    ],
)
def test_a_model_that_breaks_its_own_description_does_not_serve(answer, why):
    class Liar(LinearModel):
        def predict(self, inputs, /):
            return answer

    with pytest.raises(ModelError, match=why):
        warm_up("m", Liar())


def test_the_served_name_is_the_one_given():
    ticks = itertools.count()
    assert warm_up("other", LinearModel(), clock=lambda: float(next(ticks))).name == "other"


@attrs.frozen
class Settling(Timed):
    """Takes less time at each run, until it is warm."""

    durations: tuple[float, ...] = (9e-4, 8e-4, 6e-4, 4e-4, 3e-4, 2e-4, 1e-4)

    def predict(self, inputs, /):
        rows = len(inputs["x"])
        self.now[0] += self.durations[min(self.calls.count(rows), len(self.durations) - 1)]
        self.calls.append(rows)
        return inputs


def test_warm_up_goes_on_until_runs_take_as_long_as_each_other():
    """W3."""
    model = Settling(0.0)
    assert warmed(model).inline_elements == 512, "judged by how fast it is once it is warm"
    assert model.calls.count(1) == len(model.durations) - 1 + 5


def test_warm_up_ends_for_a_model_that_never_settles():
    """W3."""
    model = Settling(0.0, durations=tuple(1e-5 * 2 ** (n % 3) for n in range(100)))
    warmed(model)
    assert model.calls.count(1) == 21


def test_a_model_that_batches_is_tried_with_each_preferred_number_of_rows():
    """W2."""
    model = Timed(1e-9)
    policy = Policy(batching=Batching(rows_max=24, rows_preferred=(8, 12)))
    warm_up("m", model, policy=policy, clock=lambda: model.now[0])
    assert sorted(set(model.calls)) == [1, 8, 12, 16, 24]


@attrs.frozen
class NoNumber(Timed):
    def predict(self, inputs, /):
        return {"x": inputs["x"] * np.float32(np.nan)}


def test_an_answer_that_is_not_finite_is_no_answer():
    """W2."""
    with pytest.raises(ModelError, match="warm-up with zeros failed: output 'x' has numbers that are not finite"):
        warmed(NoNumber(1e-9))
