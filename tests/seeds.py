"""What is random in the tests is the same in each run of `make test`: a red run means the change at hand.

`WINDLASS_SEED=random` goes where no run has been, `WINDLASS_SEED=N` goes there again; hypothesis explores under both.
"""

import os
import random

FIXED = 20_261
_ASKED = os.environ.get("WINDLASS_SEED", str(FIXED))
EXPLORING = str(FIXED) != _ASKED


def announced_seed() -> int:
    """The seed of this run, printed, so that a failure can be repeated."""
    seed = random.SystemRandom().randrange(2**32) if _ASKED == "random" else int(_ASKED)
    print(f"WINDLASS_SEED={seed}")
    return seed
