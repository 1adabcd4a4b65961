"""The sample table holds the digits unchanged, under row ids that never move, and appears complete or not at all.

Column `row` is the stable id, `p00` to `p63` are the pixels (0 to 16), `label` is the digit. One column a pixel reads
back into numpy without pyarrow and can be queried by any SQL engine. The source and its licence stand in
`data/README.md`.
"""

import contextlib
import gzip
import os
import shutil
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from windlass.operators.errors import ExtraMissing, OperatorsError

__all__ = ("FEATURES", "read_digits", "write_sample_table")

FEATURES: Final = tuple(f"p{index:02d}" for index in range(64))

_DESCRIPTION: Final = (
    "Optical recognition of handwritten digits, E. Alpaydin and C. Kaynak 1998, CC BY 4.0, doi:10.24432/C50P49"
)


def read_digits() -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int8]]:
    """The pixels, 1797 by 64, and the 1797 labels, in the order of the file."""
    compressed = files("windlass.operators.training").joinpath("data/digits.csv.gz").read_bytes()
    lines = gzip.decompress(compressed).decode("ascii").splitlines()
    table = np.loadtxt(lines, delimiter=",", dtype=np.int8)
    return table[:, :-1], table[:, -1]


def write_sample_table(path: Path) -> str:
    """Make the Delta table at `path` unless it is there, and return its URI. Blocks.

    The table is written under another name beside `path` and renamed, so a killed process leaves no half table; of two
    processes at once, one wins and the other drops its copy. Raises ExtraMissing without the library `deltalake`,
    and OperatorsError when something else lies at `path`.
    """
    try:
        from arro3.core import Array, Table  # noqa: PLC0415  (an extra)
        from deltalake import write_deltalake  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise ExtraMissing("deltalake", needed_for="the sample table", extra="delta") from error
    path = path.resolve()
    if not _exists(path):
        pixels, labels = read_digits()
        columns = {"row": np.arange(len(labels), dtype=np.int64)}
        columns |= {name: np.ascontiguousarray(pixels[:, index]) for index, name in enumerate(FEATURES)}
        columns |= {"label": np.ascontiguousarray(labels)}
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            table = Table.from_pydict({name: Array.from_numpy(values) for name, values in columns.items()})
            write_deltalake(str(temporary), table, name="digits", description=_DESCRIPTION)
            temporary.chmod(0o755)  # mkdtemp shuts others out; a table is for everyone
            # Losing the race against another process is as good as winning it.
            with contextlib.suppress(OSError):
                os.rename(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        if not _exists(path):
            raise OperatorsError(f"{path} is in the way of the sample table: expected a Delta table or nothing there")
    return path.as_uri()


def _exists(path: Path) -> bool:
    return (path / "_delta_log" / f"{0:020d}.json").exists()
