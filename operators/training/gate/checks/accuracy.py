"""The check `non-inferiority`: on the same rows, the model is not worse than the one in production by `tolerance` (B7).

It passes if the lower bound of the accuracies' difference lies above minus `tolerance`; few rows make that bound low.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import attrs

from windlass.manifests.markers import ExclusiveMaximum, ExclusiveMinimum, Maximum, Minimum
from windlass.operators.errors import CheckError
from windlass.operators.training.gate.contract import Check, Deadline, Measurement
from windlass.operators.training.gate.parameters import read_parameters
from windlass.operators.training.gate.statistics import Resampling, lower_bound
from windlass.operators.training.gate.subject import NoIncumbent, Subject, present

__all__ = ("NON_INFERIORITY", "NonInferiorityCheck", "NonInferiorityParameters")


@attrs.frozen
class NonInferiorityParameters:
    """`firstModel` says what becomes of a model when none is in production yet: `Block`, or `Accept` it unseen."""

    tolerance: Annotated[float, Minimum(0), ExclusiveMaximum(1)] = 0.01
    confidence: Annotated[float, ExclusiveMinimum(0.5), ExclusiveMaximum(1)] = 0.95
    resamples: Annotated[int, Minimum(1000), Maximum(1_000_000)] = 10_000
    min_samples: Annotated[int, Minimum(1)] = 100
    first_model: Literal["Block", "Accept"] = "Block"


class NonInferiorityCheck:
    """See Check."""

    name = "non-inferiority"

    def refuse(self, parameters: Mapping[str, object], _: Mapping[str, float]) -> None:
        """See Check."""
        read_parameters(parameters, NonInferiorityParameters)

    def measure(self, subject: Subject, parameters: Mapping[str, object], deadline: Deadline) -> Measurement:
        """See Check.measure."""
        asked = read_parameters(parameters, NonInferiorityParameters)
        sample = present(subject.evaluation, "evaluation", rows_min=asked.min_samples)
        new = subject.model.right(sample)
        deadline.check()
        if subject.incumbent is None:
            raise CheckError("it is not known which model is in production", reason="IncumbentUnknown")
        if isinstance(subject.incumbent, NoIncumbent):
            if asked.first_model == "Block":
                raise CheckError(
                    "no model is in production to compare with; parameters.firstModel: Accept lets the first one pass",
                    reason="NoIncumbent",
                )
            accuracy = float(new.mean())
            message = f"no model is in production, and the first one is accepted; its accuracy is {accuracy:.4f}"
            return Measurement("Passed", "FirstModel", message, samples=len(sample), details={"accuracy": accuracy})
        old = subject.incumbent.right(sample)
        bound = lower_bound(new, old, Resampling(asked.confidence, asked.resamples, subject.seed))
        passed = bound.lower > -asked.tolerance
        message = (
            f"accuracy {new.mean():.4f} against {old.mean():.4f} in production: the difference lies above "
            f"{bound.lower:.4f} with confidence {asked.confidence:g}, above {-asked.tolerance:g} was asked for"
        )
        return Measurement(
            "Passed" if passed else "Failed",
            "NotInferior" if passed else "MayBeInferior",
            message,
            statistic=bound.lower,
            threshold=-asked.tolerance,
            samples=len(sample),
            details={
                "accuracy": float(new.mean()),
                "incumbentAccuracy": float(old.mean()),
                "difference": bound.difference,
                "onlyNewRight": int((new & ~old).sum()),
                "onlyOldRight": int((old & ~new).sum()),
            },
        )


NON_INFERIORITY: Final[Check] = NonInferiorityCheck()
