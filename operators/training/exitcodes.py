"""What a trainer's exit code means, for the program that ends and for whoever watches it; the words of A9."""

from typing import Final

__all__ = ("FAILED", "TRY_AGAIN")

FAILED: Final = 1  # for good; the reason is in failure.json or on stderr
TRY_AGAIN: Final = 75  # EX_TEMPFAIL of sysexits.h: nothing is wrong with the run itself
