"""What went in, what came out, and what was left out on the way adds up, step by step (P6)."""

from typing import Any

import attrs
import msgspec

__all__ = ("Counts", "Step", "lineage")


class Counts(msgspec.Struct, frozen=True):
    """Rows that were read, and those of them that were bad."""

    read: int = 0
    bad: int = 0


@attrs.frozen
class Step:
    """One step: rows in, rows out. What is missing was left out, for `why`."""

    name: str
    rows_in: int
    rows_out: int
    why: str = ""


def lineage(inputs: list[dict[str, object]], steps: list[Step], *, digest: str) -> dict[str, Any]:
    """The event of a reading, as JSON-shaped values: inputs, steps, and the digest of what came out."""
    return {"inputs": inputs, "steps": [attrs.asdict(step) for step in steps], "output": {"digest": digest}}
