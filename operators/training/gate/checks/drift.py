"""The check `drift`: what production sees is distributed, feature by feature, as what the model was trained on (B7).

The verdict is the greatest population stability index of a feature: below `warn` good, up to `fail` good with a
warning, above it not. The bands are convention, not theory. The Kolmogorov-Smirnov test stands beside it, corrected for
the number of features, and only warns.
"""

from collections.abc import Mapping
from typing import Annotated, Final

import attrs

from windlass.manifests.markers import ExclusiveMaximum, ExclusiveMinimum, Maximum, Minimum
from windlass.operators.errors import CheckError
from windlass.operators.training.gate.contract import Check, Deadline, Measurement
from windlass.operators.training.gate.parameters import read_parameters
from windlass.operators.training.gate.statistics import kolmogorov_smirnov, population_stability
from windlass.operators.training.gate.subject import Sample, Subject, present

__all__ = ("DRIFT", "DriftCheck", "DriftParameters")

_SHOWN_MAX: Final = 16  # of the features, those that drifted the most, so that evidence stays small


@attrs.frozen
class DriftParameters:
    """The bands of the index, its bins, what is added to the share of each, and the level of the second test."""

    warn: Annotated[float, ExclusiveMinimum(0)] = 0.10
    fail: Annotated[float, ExclusiveMinimum(0)] = 0.25
    bins: Annotated[int, Minimum(2), Maximum(1000)] = 10
    smoothing: Annotated[float, ExclusiveMinimum(0), Maximum(0.1)] = 1e-4
    level: Annotated[float, ExclusiveMinimum(0), ExclusiveMaximum(1)] = 0.05
    min_samples: Annotated[int, Minimum(2)] = 200


class DriftCheck:
    """See Check."""

    name = "drift"

    def refuse(self, parameters: Mapping[str, object], _: Mapping[str, float]) -> None:
        """See Check."""
        _read(parameters)

    def measure(self, subject: Subject, parameters: Mapping[str, object], deadline: Deadline) -> Measurement:
        """See Check.measure."""
        asked = _read(parameters)
        reference = present(subject.training, "training", rows_min=asked.min_samples)
        recent = present(subject.recent, "recent", rows_min=asked.min_samples)
        if reference.features.shape[1] != recent.features.shape[1] or not reference.features.shape[1]:
            raise CheckError(
                f"the training rows have {reference.features.shape[1]} features, the recent ones "
                f"{recent.features.shape[1]}",
                reason="DataMalformed",
            )
        return _measured(_features(reference, recent, asked, deadline=deadline), asked, len(recent))


def _read(parameters: Mapping[str, object]) -> DriftParameters:
    asked = read_parameters(parameters, DriftParameters)
    if asked.warn > asked.fail:
        raise CheckError(
            f"parameters.warn: expected at most fail ({asked.fail:g}), found {asked.warn:g}",
            reason="InvalidParameters",
        )
    return asked


@attrs.frozen
class _Feature:
    feature: int
    psi: float
    distance: float
    p: float


def _features(reference: Sample, recent: Sample, asked: DriftParameters, *, deadline: Deadline) -> list[_Feature]:
    found = []
    for index in range(reference.features.shape[1]):
        deadline.check()
        pair = reference.features[:, index], recent.features[:, index]
        psi = population_stability(*pair, bins=asked.bins, smoothing=asked.smoothing)
        found.append(_Feature(index, psi, *kolmogorov_smirnov(*pair)))
    return sorted(found, key=lambda one: (-one.psi, one.feature))


def _measured(found: list[_Feature], asked: DriftParameters, rows: int) -> Measurement:
    worst = found[0]
    distinct = [one for one in found if one.p < asked.level / len(found)]
    message = f"the index of feature {worst.feature} is {worst.psi:.4f}, the highest of {len(found)} features"
    if worst.psi > asked.fail:
        outcome, reason = "Failed", "Drifted"
    elif worst.psi >= asked.warn:
        outcome, reason = "Passed", "DriftWarning"
    else:
        outcome, reason = "Passed", "DriftWarning" if distinct else "NoDrift"
    if distinct:
        message += f"; {len(distinct)} differ by the Kolmogorov-Smirnov test"
    return Measurement(
        "Failed" if outcome == "Failed" else "Passed",
        reason,
        f"{message}; at most {asked.fail:g} was asked for",
        statistic=worst.psi,
        threshold=asked.fail,
        samples=rows,
        details={"features": [attrs.asdict(one) for one in found[:_SHOWN_MAX]], "differing": len(distinct)},
    )


DRIFT: Final[Check] = DriftCheck()
