"""The journal of a job that two programs fought over, for the page that explains it."""

import json
from datetime import UTC, datetime, timedelta

from windlass.statemachine.journal import Entry, to_json

__all__ = ("lines",)

_MOVES = (
    ("Pending", "VerifyingData", "accept", "windlass-a/7", "101", "104"),
    ("VerifyingData", "Queued", "pin", "windlass-a/7", "104", "110"),
    ("Queued", "Running", "start", "windlass-a/7", "110", "112"),
    ("Queued", "Running", "start", "windlass-b/9", "110", "113"),
    ("Running", "Failed", "fail", "windlass-a/7", "113", "140"),
    ("Failed", "Running", "", "script/1", "140", "155"),
    ("Running", "Publishing", "", "script/1", "155", "156"),
)


def lines() -> str:
    """The file."""
    began = datetime(2026, 8, 1, 12, 0, 0, tzinfo=UTC)
    entries = (
        Entry(
            at=began + timedelta(seconds=4 * number), source=source, target=target, cause=cause, writer=writer,
            version_before=before, version_after=after, subject="TrainingJob default/digits", generation=1,
        )
        for number, (source, target, cause, writer, before, after) in enumerate(_MOVES)
    )  # fmt: skip
    return "".join(json.dumps(to_json(entry)) + "\n" for entry in entries)
