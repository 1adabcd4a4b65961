"""How far the predictions of two arms lie apart is told from counts in bins, in memory that does not grow.

The bins are cut once, at deciles of the control's first `REFERENCE` predictions, which then count for nothing else. A
value that fills a tenth or more of them has a bin to itself, so that labels are compared as labels. Predictions that
are no number have one, too.

The population stability index is the sum over bins of (q - p) ln(q / p), for the shares p of the control and q of the
treatment, half a count added to each so that an empty bin is no infinity. Two samples of the same k shares have an
index of about (k - 1)(1 / n + 1 / m) (B. Yurdakul, "Statistical properties of population stability index", 2018), which
is taken off: what is left is not the smallness of the samples.
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from typing import Final

import attrs

from windlass.serving.experiments.sequential import log_evidence, share_variance
from windlass.serving.model import LoadedModel
from windlass.serving.tensors import Array

__all__ = ("REFERENCE", "Cuts", "log_drift", "prediction", "stability_index")

REFERENCE: Final = 100

_BINS: Final = 10
# A share of a tenth that became one of a fifth, or of nothing, and finer ones.
_WIDTHS: Final = (0.01, 0.1)
# Below so many expected in the smaller arm a share is not normal (W. Cochran's rule), and proves nothing here.
_EXPECTED_MIN: Final = 5.0


@attrs.frozen
class Cuts:
    """Where the bins meet: `edges`, rising, each the end of the bin below it. None until enough `values` are known."""

    values: tuple[float, ...] = ()
    edges: tuple[float, ...] | None = None

    def and_one(self, value: float) -> "Cuts":
        """With one prediction of the control's more, before there are edges."""
        values = (*self.values, _rounded(value))
        return Cuts(edges=_edges(values)) if len(values) == REFERENCE else Cuts(values)

    def counted(self, counts: tuple[int, ...], value: float) -> tuple[int, ...]:
        """The counts, () to begin with, with this prediction in its bin; to be asked once there are edges."""
        assert self.edges is not None
        counts = counts or (0,) * (len(self.edges) + 2)
        # The last bin is for what is no number.
        place = len(self.edges) + 1 if math.isnan(value) else bisect_left(self.edges, _rounded(value))
        return (*counts[:place], counts[place] + 1, *counts[place + 1 :])


def stability_index(control: tuple[int, ...], treatment: tuple[int, ...]) -> float:
    """The index of the treatment's counts from the control's, from 0; 0 while one of them has none."""
    n, m = sum(control), sum(treatment)
    if not n or not m:
        return 0.0
    pairs = [(a, b) for a, b in zip(control, treatment, strict=True) if a or b]
    half = 0.5 * len(pairs)
    shares = [((a + 0.5) / (n + half), (b + 0.5) / (m + half)) for a, b in pairs]
    index = sum((q - p) * math.log(q / p) for p, q in shares)
    return max(0.0, index - (len(pairs) - 1) * (1 / n + 1 / m))


def log_drift(control: tuple[int, ...], treatment: tuple[int, ...]) -> float:
    """Evidence that the shares are not the same: the mean of the evidence of each bin; 0 while one arm has none.

    A mean of evidence is evidence, however much the bins have to do with each other, so nothing needs to be corrected
    for their number.
    """
    n, m = sum(control), sum(treatment)
    if not n or not m:
        return 0.0
    logs = [
        log_evidence(b / m - a / n, share_variance(a + b, n, m), tau) if _enough(a + b, n, m) else 0.0
        for a, b in zip(control, treatment, strict=True)
        for tau in _WIDTHS
    ]
    top = max(logs)
    return top + math.log(sum(math.exp(one - top) for one in logs) / len(logs))


def prediction(model: LoadedModel, outputs: Mapping[str, Array]) -> float | None:
    """What an answer predicts: of the first row of the model's first output the number, or the place of the largest.

    None where there is no row, and for what is not numbers.
    """
    array = outputs[model.outputs[0].name]
    if array.dtype.kind not in "biuf" or not array.size:
        return None
    row = array[0] if array.ndim else array
    return float(row.argmax()) if row.size > 1 else float(row.item())


def _rounded(value: float) -> float:
    # One model's 0.1 in 32 bits is the other's in 64.
    return float(f"{value:.6g}")


def _edges(values: tuple[float, ...]) -> tuple[float, ...]:
    known = sorted(value for value in values if not math.isnan(value))
    deciles = Counter(known[len(known) * place // _BINS] for place in range(1, _BINS) if known)
    edges: set[float] = set()
    for value, times in deciles.items():
        edges.add(value)
        if times > 1:
            edges.add(math.nextafter(value, -math.inf))
    return tuple(sorted(edges))


def _enough(both: int, n: int, m: int) -> bool:
    return both * min(n, m) / (n + m) >= _EXPECTED_MIN
