"""Tables elsewhere are looked at in a process of its own, for a slow store must not stop a controller's loop.

The library holds the interpreter's lock over some of its calls while it waits for a network. What it never gives back,
memory or a hang, goes with the process. Local tables are read in place. The answers and the errors
are those of `resolve` and `read_rows`. This module does not know what they mean.

The process is asked by a line of JSON and answers with one; rows follow it as arrays of numpy, which hold no code.
"""

import io
import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, Final

import attrs
import numpy as np

from windlass.operators.errors import DataError, ExtraMissing, TrainingError
from windlass.operators.training.dataversion import DataRecord, resolve
from windlass.operators.training.storage import is_remote, masked
from windlass.operators.training.table import Rows, read_rows

__all__ = ("PATIENCE_SECONDS", "main", "read_rows_apart", "resolve_apart")

PATIENCE_SECONDS: Final = 600.0
"""After so long a table counts as unreachable. The store's own limits are far shorter; this is for a trickle."""


def resolve_apart(uri: str, version: int | str, *, expected_table_id: str | None = None) -> DataRecord:
    """As `resolve`. Blocks: call it in a thread."""
    if not is_remote(uri):
        return resolve(uri, version, expected_table_id=expected_table_id)
    answer, _ = _ask({"uri": uri, "version": version, "tableId": expected_table_id}, uri)
    return DataRecord(**answer["record"])


def read_rows_apart(record: DataRecord) -> Rows:
    """As `read_rows`. Blocks: call it in a thread."""
    if not is_remote(record.uri):
        return read_rows(record)
    answer, content = _ask({"rows": attrs.asdict(record)}, record.uri)
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return Rows(tuple(answer["names"]), arrays["ids"], arrays["features"], arrays["labels"])


def _ask(question: Mapping[str, Any], uri: str) -> tuple[Mapping[str, Any], bytes]:
    command = (sys.executable, "-P", "-m", "windlass.operators.training.apart")
    try:
        done = subprocess.run(  # noqa: S603  # our own module
            command, input=json.dumps(question).encode(), capture_output=True, timeout=PATIENCE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise DataError(f"{uri}: no answer within {PATIENCE_SECONDS:g} s", reason="TableUnreachable") from None
    head, _, content = done.stdout.partition(b"\n")
    if done.returncode or not head:
        said = masked(done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2])
        # A process that was killed, for its memory say, may come through another time; one that gave up will not.
        reason = "TableUnreachable" if done.returncode < 0 else "TableCorrupt"
        raise DataError(f"{uri}: its reader ended with {done.returncode}: {said or 'it said nothing'}", reason=reason)
    answer: Mapping[str, Any] = json.loads(head)
    if "reason" not in answer:
        return answer, content
    if answer["reason"] == ExtraMissing.default_reason:
        raise ExtraMissing("deltalake", needed_for="a Delta table", extra="delta")
    raise DataError(answer["message"], reason=answer["reason"])


def main() -> None:
    """Answer the question on stdin. What was foreseen to fail is an answer, too."""
    question = json.load(sys.stdin)
    output = sys.stdout.buffer
    try:
        if "rows" not in question:
            found = resolve(question["uri"], question["version"], expected_table_id=question["tableId"])
            output.write(json.dumps({"record": attrs.asdict(found)}).encode() + b"\n")
            return
        rows = read_rows(DataRecord(**question["rows"]))
    except TrainingError as error:
        output.write(json.dumps({"reason": error.reason, "message": str(error)}).encode() + b"\n")
        return
    output.write(json.dumps({"names": rows.names}).encode() + b"\n")
    arrays = io.BytesIO()
    np.savez(arrays, ids=rows.ids, features=rows.features, labels=rows.labels)
    output.write(arrays.getvalue())


if __name__ == "__main__":
    main()
