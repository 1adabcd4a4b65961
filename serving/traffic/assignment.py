"""A unit's arm follows from the salt, the unit and the weights alone: any process, host or restart gives the same.

Weighted rendezvous: each arm draws a number for the unit, an exponential variable whose rate is the arm's weight, and
the smallest wins. A unit therefore leaves an arm for another only when the other's weight has grown in proportion to
its own: raising one weight moves units to that arm alone, between two arms exactly the needed fraction moves, and an
arm of weight 0 that comes or goes moves nobody (T4, H5). With more arms no rule that knows only the present weights
can move the needed fraction d each time; this one moves at most 2d/(1+d).

The numbers come from BLAKE2b, whose results for different salts are independent; those of a CRC are not (T2, T3).
Source of the rule: D. Thaler, C. Ravishankar, "Using name-based mappings to increase hit rates", 1998, with weights by
the exponential race; of the bound: R. Moulton, Y. Jiang, "Maximally consistent sampling", 2018.
"""

import math
from collections.abc import Iterable
from hashlib import blake2b

__all__ = ("arm_for", "point")

_HALF_STEP = 0.5
_STEPS = 2.0**64


def point(salt: str, *parts: str) -> float:
    """A number in (0, 1], uniform over units: the first 64 bits of BLAKE2b of the parts, parted by a zero byte."""
    digest = blake2b("\0".join((salt, *parts)).encode(errors="surrogateescape"), digest_size=8).digest()
    return (int.from_bytes(digest, "big") + _HALF_STEP) / _STEPS


def arm_for(salt: str, unit: str, weights: Iterable[tuple[str, int]]) -> str:
    """The name of the unit's arm among `(name, weight)`. Weights count in proportion; one at least is above 0."""
    best, least = "", math.inf
    for name, weight in weights:
        if weight > 0:
            arrival = -math.log(point(salt, unit, name)) / weight
            if arrival < least:
                best, least = name, arrival
    return best
