"""A row that training never saw is asked of the endpoint as any client would, and the answer held against its label."""

import json
from pathlib import Path

import aiohttp
import attrs

from windlass.operators.training import TrainingJob
from windlass.operators.training.split import held_out
from windlass.operators.training.table import read_rows
from windlass.statemachine.errors import WindlassError

__all__ = ("Check", "Example", "PredictionError", "check_prediction", "example_of", "request_body", "write_request")

_TIMEOUT_SECONDS = 10.0


class PredictionError(WindlassError):
    """The endpoint did not answer a prediction."""


@attrs.frozen
class Example:
    """One held-out row."""

    row: int
    features: tuple[float, ...]
    label: int


@attrs.frozen
class Check:
    """What the endpoint said of an example, and by which version of which model."""

    example: Example
    predicted: int
    version: str = ""

    @property
    def passed(self) -> bool:
        """Whether the prediction is the label."""
        return self.predicted == self.example.label

    @property
    def sentence(self) -> str:
        """The outcome in words."""
        verdict = "correct" if self.passed else "WRONG"
        row = f"row {self.example.row}, held out of training"
        return f"{row}: label {self.example.label}, predicted {self.predicted}, {verdict}"


def example_of(job: TrainingJob) -> Example:
    """The held-out row with the lowest id. Blocks while it reads the table.

    Raises:
        DataError: the pinned version of the table can no longer be read.
    """
    if job.status.data is None:
        raise PredictionError(f"{job.metadata.key} has no data on record")
    rows = read_rows(job.status.data)
    kept = rows.take(held_out(rows.ids, seed=job.spec.seed, share=job.spec.validation.holdout))
    return Example(int(kept.ids[0]), tuple(float(value) for value in kept.features[0]), int(kept.labels[0]))


def request_body(example: Example) -> bytes:
    """The example as an Open Inference Protocol v2 request."""
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, len(example.features)], "data": example.features}
    return json.dumps({"inputs": [tensor]}).encode()


async def check_prediction(url: str, model: str, example: Example) -> Check:
    """Ask the endpoint at `url` for the label of `example`.

    Raises:
        PredictionError: it could not be reached, or answered something else than a label.
    """
    target = f"{url}/v2/models/{model}/infer"
    headers = {"Content-Type": "application/json"}
    try:
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(target, data=request_body(example), headers=headers) as response,
        ):
            text = await response.text()
            if response.status != 200:
                raise PredictionError(f"{target} answered {response.status}: {text}")
            answer = json.loads(text)
            outputs = {output["name"]: output["data"] for output in answer["outputs"]}
            return Check(example, int(outputs["label"][0]), str(answer.get("model_version", "")))
    except (aiohttp.ClientError, TimeoutError) as error:
        raise PredictionError(f"{target}: {str(error) or 'no answer in time'}") from error
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise PredictionError(f"{target} answered something else than a label: {error}") from error


def write_request(path: Path, example: Example) -> None:
    """Leave the example where curl finds it."""
    path.write_bytes(request_body(example))
