"""Of the answers that a model gives with a probability of 0.9, nine in ten are right: the check `calibration`.

The statistic is the expected calibration error (Naeini, Cooper, Hauskrecht 2015): rows are sorted into bins by the
probability of their answer, and the distance of accuracy and mean probability is averaged over the bins, by their rows.
"""

from typing import Annotated

import attrs
import numpy as np

from windlass.manifests import Maximum, Minimum
from windlass.operators.training.gate.contract import Measurement
from windlass.operators.training.gate.parameters import read_parameters
from windlass.operators.training.gate.subject import present

__all__ = ("CALIBRATION", "CalibrationCheck", "CalibrationParameters")


@attrs.frozen
class CalibrationParameters:
    """What a gate may say under `parameters`; anything else is an error that names the field."""

    max_error: Annotated[float, Minimum(0), Maximum(1)]
    bins: Annotated[int, Minimum(2), Maximum(100)] = 10
    min_samples: Annotated[int, Minimum(1)] = 200


class CalibrationCheck:
    """The contract is these names, of which `refuse` need not be there."""

    name = "calibration"

    def refuse(self, parameters, _hyperparameters):
        read_parameters(parameters, CalibrationParameters)  # known before training, not after it

    def measure(self, subject, parameters, deadline):
        asked = read_parameters(parameters, CalibrationParameters)
        sample = present(subject.evaluation, "evaluation", rows_min=asked.min_samples)  # or CheckError: no answer
        answers = subject.model.answers(sample.features)
        right = answers.argmax(axis=1) == subject.model.targets(sample.labels)
        sure = answers.max(axis=1)
        deadline.check()
        bins = np.minimum((sure * asked.bins).astype(int), asked.bins - 1)
        error = sum(
            abs(right[bins == one].mean() - sure[bins == one].mean()) * (bins == one).mean() for one in np.unique(bins)
        )
        passed = bool(error <= asked.max_error)
        return Measurement(
            "Passed" if passed else "Failed",
            "Calibrated" if passed else "Miscalibrated",
            f"the expected calibration error is {error:.4f}, at most {asked.max_error:g} was asked for",
            statistic=float(error),
            threshold=asked.max_error,
            samples=len(sample),
        )


CALIBRATION = CalibrationCheck()
