"""The check `fgsm`: of the rows that the model labels right, few enough are lost to a step of size epsilon (B3, B4).

It does not answer if too few rows are labelled right to speak of a share, or if the loss is flat around too many of
them: such a model hides its slope, which makes an attack fail without making the model robust.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import attrs
import numpy as np

from windlass.manifests.markers import ExclusiveMinimum, Maximum, Minimum
from windlass.operators.errors import CheckError
from windlass.operators.training.gate.attack import Attack, Attacked, Mode, attack
from windlass.operators.training.gate.contract import Check, Deadline, Measurement
from windlass.operators.training.gate.parameters import read_parameters
from windlass.operators.training.gate.subject import Classifier, Sample, Subject, present

__all__ = ("FGSM", "FgsmCheck", "FgsmParameters")

_CHOICE: Final = 6  # keeps the choice of rows apart from any other use of the same seed
_DIFFERENCES_FEATURES_MAX: Final = 256  # above, SPSA: it asks the model less often, and is told less


@attrs.frozen
class FgsmParameters:
    """`epsilon`, `low` and `high` are in the units of the model's input; the last two default to the rows' extremes.

    At most `maxSamples` rows are looked at. `step` defaults to a thousandth of the range.
    """

    epsilon: Annotated[float, Minimum(0)]
    max_success_rate: Annotated[float, Minimum(0), Maximum(1)]
    low: float | None = None
    high: float | None = None
    min_samples: Annotated[int, Minimum(1)] = 100
    max_samples: Annotated[int, Minimum(1), Maximum(1_000_000)] = 1000
    min_clean_accuracy: Annotated[float, Minimum(0), Maximum(1)] = 0.5
    max_flat: Annotated[float, Minimum(0), Maximum(1)] = 0.1
    mode: Literal["auto", "gradient", "differences", "spsa"] = "auto"
    step: Annotated[float | None, ExclusiveMinimum(0)] = None
    draws: Annotated[int, Minimum(1), Maximum(100_000)] = 256


class FgsmCheck:
    """See Check."""

    name = "fgsm"

    def refuse(self, parameters: Mapping[str, object], _: Mapping[str, float]) -> None:
        """See Check."""
        asked = read_parameters(parameters, FgsmParameters)
        if asked.low is not None and asked.high is not None and asked.low > asked.high:
            raise CheckError(
                f"parameters.low: expected at most high ({asked.high:g}), found {asked.low:g}",
                reason="InvalidParameters",
            )

    def measure(self, subject: Subject, parameters: Mapping[str, object], deadline: Deadline) -> Measurement:
        """See Check.measure."""
        asked = read_parameters(parameters, FgsmParameters)
        sample = _chosen(present(subject.evaluation, "evaluation"), asked.max_samples, subject.seed)
        how = _attack(asked, subject.model, sample, seed=subject.seed)
        found = attack(subject.model, sample, how, pause=deadline.check)
        _refuse_doubt(found, asked)
        rate = found.fooled / found.correct
        passed = rate <= asked.max_success_rate
        message = (
            f"{found.fooled} of {found.correct} rows were lost to a step of {asked.epsilon:g} ({how.mode}): "
            f"{rate:.4f}, at most {asked.max_success_rate:g} was asked for"
        )
        return Measurement(
            "Passed" if passed else "Failed",
            "Robust" if passed else "NotRobust",
            message,
            statistic=rate,
            threshold=asked.max_success_rate,
            samples=found.correct,
            details={**attrs.asdict(how), **attrs.asdict(found), "cleanAccuracy": found.correct / found.rows},
        )


def _chosen(sample: Sample, rows_max: int, seed: int) -> Sample:
    if len(sample) <= rows_max:
        return sample
    chosen = np.random.default_rng([_CHOICE, seed % 2**64]).choice(len(sample), rows_max, replace=False)
    chosen.sort()
    return Sample(sample.features[chosen], sample.labels[chosen])


def _attack(asked: FgsmParameters, model: Classifier, sample: Sample, *, seed: int) -> Attack:
    least, most = float(sample.features.min()), float(sample.features.max())
    low, high = (least if asked.low is None else asked.low), (most if asked.high is None else asked.high)
    if not low <= least <= most <= high:
        # Clipped without any step, such rows would move, and be counted as the attack's.
        raise CheckError(
            f"parameters.low and high: expected the rows within them, found rows from {least:g} to {most:g} "
            f"for {low:g} to {high:g}",
            reason="InvalidParameters",
        )
    step = (high - low) / 1000 if asked.step is None else asked.step
    mode = _mode(asked, model, features=sample.features.shape[1])
    if mode != "gradient" and step <= 0:
        raise CheckError("every feature of every row has one value, so there is no scale to attack on", reason="Flat")
    return Attack(asked.epsilon, low, high, mode, step, draws=asked.draws, seed=seed)


def _mode(asked: FgsmParameters, model: Classifier, *, features: int) -> Mode:
    if asked.mode == "gradient" and model.gradient is None:
        raise CheckError("the model is a black box, and parameters.mode is gradient", reason="NoGradient")
    if asked.mode != "auto":
        return asked.mode
    if model.gradient is not None:
        return "gradient"
    return "differences" if features <= _DIFFERENCES_FEATURES_MAX else "spsa"


def _refuse_doubt(found: Attacked, asked: FgsmParameters) -> None:
    if found.correct < asked.min_samples:
        raise CheckError(
            f"{found.correct} of {found.rows} rows are labelled right, at least {asked.min_samples} are needed",
            reason="TooFewSamples",
        )
    clean = found.correct / found.rows
    if clean < asked.min_clean_accuracy:
        raise CheckError(
            f"the accuracy is {clean:.4f} before any attack, at least {asked.min_clean_accuracy:g} is needed",
            reason="CleanAccuracyTooLow",
        )
    if found.flat / found.correct > asked.max_flat:
        raise CheckError(
            f"the loss has no slope at {found.flat} of {found.correct} rows, so nothing was tried on them",
            reason="GradientVanished",
        )


FGSM: Final[Check] = FgsmCheck()
