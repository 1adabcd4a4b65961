"""Whether a row is held out depends on its id and the seed alone: no other row, order or version can move it.

So a row that one version of a table held out stays held out in the next, and nothing the model was judged on can leak
into a later training. This module does not know where ids come from.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ("held_out",)

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)


def held_out(ids: npt.NDArray[np.int64], *, seed: int, share: float) -> npt.NDArray[np.bool_]:
    """Mark the rows to hold out: about `share` of them (0 < share < 1), by a hash of the id keyed with `seed`."""
    key = _mix(np.array([seed % 2**64], dtype=np.uint64))
    threshold = np.uint64(int(share * 2**64))
    return _mix(ids.astype(np.uint64) ^ key) < threshold


def _mix(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finaliser of SplitMix64: a bijection in which every input bit moves about half of the output bits."""
    with np.errstate(over="ignore"):
        mixed = values + _GOLDEN
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))
