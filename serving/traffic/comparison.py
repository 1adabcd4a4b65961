"""Two answers to one request are compared without raising, whatever a shadow answers.

Outputs that hold numbers with fractions are compared by their largest absolute difference, all others row by row for
being the same. Outputs that one of the two does not have, or has in another shape, differ in every row.
"""

from collections.abc import Mapping

import attrs
import numpy as np

from windlass.serving.tensors import Array

__all__ = ("Comparison", "compare")


@attrs.frozen
class Comparison:
    """`agree` and `differ` count rows of labels; `difference` is of numbers, None where there are none to compare."""

    agree: int = 0
    differ: int = 0
    difference: float | None = None


def compare(ours: Mapping[str, Array], theirs: Mapping[str, Array]) -> Comparison:
    """Our outputs beside theirs. NaN in the same place is the same; in one of them the difference is infinite."""
    agree = differ = 0
    difference: float | None = None
    for name, array in ours.items():
        other = theirs.get(name)
        fractions = array.dtype.kind == "f"
        if other is None or other.shape != array.shape or (other.dtype.kind == "f") is not fractions:
            differ += _rows(array)
        elif fractions:
            difference = max(difference or 0.0, _largest(array, other))
        else:
            rows = _rows(array)
            same = int(np.asarray(array == other).reshape(rows, -1).all(axis=1).sum())
            agree += same
            differ += rows - same
    return Comparison(agree, differ, difference)


def _rows(array: Array) -> int:
    return len(array) if array.ndim else 1


def _largest(array: Array, other: Array) -> float:
    with np.errstate(all="ignore"):
        distances = np.abs(array.astype(np.float64) - other.astype(np.float64))
    same = (array == other) | (np.isnan(array) & np.isnan(other))
    distances = np.where(same, 0.0, np.nan_to_num(distances, nan=np.inf, posinf=np.inf))
    return float(distances.max(initial=0.0))
