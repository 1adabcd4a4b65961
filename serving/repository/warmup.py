"""No model serves before it has answered synthetic inputs of every batch size tried here, and its recorded ones.

The same runs decide where it will run (W2, W3, W4). A model that batches is tried with each preferred number of rows
and with its most. Answers must be finite.

Synthetic inputs are zeros of the declared shapes, with every varying dimension other than the batch set to 1.
Synchronous: the repository calls it in a thread.
"""

import time
from collections.abc import Callable, Iterable, Mapping

import attrs
import numpy as np

from windlass.serving.batching.batches import not_batchable_because, rows, split
from windlass.serving.errors import ModelError
from windlass.serving.model import BATCHED_FROM_SECONDS, INLINE_SECONDS, Exemplary, LoadedModel, Model, checked, size
from windlass.serving.policy import Policy
from windlass.serving.repository.recorded import Recorded
from windlass.serving.tensors import DATATYPES, Array, TensorSpec

__all__ = ("answer_recorded", "synthetic", "warm_up")

_BATCHES = (1, 16, 256)

# W3: a model is warm when its last runs took as long as each other, within this fraction, or after so many.
_RUNS = 5
_RUNS_MAX = 20
_SPREAD = 0.25
_PLAIN = Policy()


def synthetic(specs: tuple[TensorSpec, ...], count: int) -> dict[str, Array]:
    """An input of zeros (empty strings for BYTES) with `count` rows."""
    inputs: dict[str, Array] = {}
    for spec in specs:
        shape = tuple((count if index == 0 else 1) if size == -1 else size for index, size in enumerate(spec.shape))
        fill = b"" if spec.datatype == "BYTES" else 0
        inputs[spec.name] = np.full(shape, fill, dtype=DATATYPES[spec.datatype])
    return inputs


def warm_up(
    name: str, model: Model, *, policy: Policy = _PLAIN, clock: Callable[[], float] = time.perf_counter
) -> LoadedModel:
    """The model, ready to serve under `name`.

    Raises ModelError when it fails on zeros, breaks its own description, or cannot batch though it should.

    `inline_elements` becomes the size of the largest batch whose median run stays within `INLINE_SECONDS`; the first
    run of each batch allocates and is many times slower (W3), so it does not count. A model that batches becomes
    `direct` when one row takes less than `BATCHED_FROM_SECONDS`, unless its policy says `always`.
    """
    loaded = LoadedModel(name, model.version, model, policy=policy)
    may_be_direct = policy.batching is not None and not policy.batching.always
    slow = False
    for number in _batches(model, policy):
        inputs = model.example(number) if isinstance(model, Exemplary) else synthetic(model.inputs, number)
        if slow:
            _try(loaded, inputs)
            continue
        seconds = _median_seconds(loaded, inputs, clock)
        slow = seconds > INLINE_SECONDS
        if not slow:
            direct = loaded.direct or (number == 1 and may_be_direct and seconds < BATCHED_FROM_SECONDS)
            loaded = attrs.evolve(loaded, inline_elements=size(inputs), direct=direct)
        elif policy.batching is None:
            break
    return loaded


def _batches(model: Model, policy: Policy) -> list[int]:
    if policy.batching is None:
        return list(_BATCHES if any(spec.batched for spec in model.inputs) else _BATCHES[:1])
    reason = not_batchable_because(model.inputs, model.outputs)
    if reason is not None:
        raise ModelError(f"batching: {reason}")
    rows_max = policy.batching.rows_max
    preferred = policy.batching.rows_preferred
    return sorted({*(number for number in _BATCHES if number < rows_max), *preferred, rows_max})


def answer_recorded(loaded: LoadedModel, requests: Iterable[Recorded]) -> None:
    """Answer these as well. Raises ModelError when one fails, or is not answered as expected."""
    for index, request in enumerate(requests):
        outputs = _try(loaded, request.inputs, f"recorded request {index}")
        difference = request.differs(outputs)
        if difference is not None:
            raise ModelError(f"warm-up with recorded request {index}: {difference}")


def _try(loaded: LoadedModel, inputs: Mapping[str, Array], what: str = "zeros") -> Mapping[str, Array]:
    try:
        outputs = checked(loaded, loaded.model.predict(inputs))
        if loaded.policy.batching is not None:
            split(loaded, outputs, [rows(loaded, inputs)])
    except Exception as error:
        raise ModelError(f"warm-up with {what} failed: {type(error).__name__}: {error}") from error
    for spec in loaded.outputs:
        array = outputs[spec.name]
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ModelError(f"warm-up with {what} failed: output {spec.name!r} has numbers that are not finite")
    return outputs


def _median_seconds(loaded: LoadedModel, inputs: Mapping[str, Array], clock: Callable[[], float]) -> float:
    durations: list[float] = []
    while len(durations) <= _RUNS_MAX:
        before = clock()
        _try(loaded, inputs)
        durations.append(clock() - before)
        if durations[0] > 100 * INLINE_SECONDS:
            return durations[0]  # far too slow for the loop: no need to find out how slow
        last = sorted(durations[1:][-_RUNS:])
        if len(last) == _RUNS and last[-1] <= last[0] * (1 + _SPREAD):
            break
    return last[_RUNS // 2]
