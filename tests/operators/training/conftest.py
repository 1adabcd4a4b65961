"""Small real tables and runs; a test says what it needs of them and nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import attrs
import numpy as np
import pytest
from arro3.core import Array, Table
from deltalake import write_deltalake

from windlass.operators.training.config import TrainerConfig, render_config
from windlass.operators.training.dataversion import DataRecord, resolve
from windlass.operators.training.runfolder import RunFolder
from windlass.operators.training.softmax import Settings

sys.path.insert(0, str(Path(__file__).parent))  # for the helpers beside these tests

SETTINGS = Settings(epochs=6, batch_size=16, learning_rate=0.05, momentum=0.9, l2=1e-4)


@attrs.frozen
class Lab:
    """A folder to make tables and runs in."""

    path: Path

    def write(self, name="table", *, mode="error", **columns):
        """Append or make a Delta table; returns its path."""
        table = Table.from_pydict(
            {key: Array.from_numpy(np.ascontiguousarray(value)) for key, value in columns.items()}
        )
        write_deltalake(str(self.path / name), table, mode=mode)
        return self.path / name

    def blobs(self, name="table", *, rows=240, classes=3, features=4):
        """A table of clusters that a linear model can tell apart nearly, but not quite."""
        rng = np.random.default_rng(1)
        labels = rng.integers(0, classes, rows)
        values = rng.normal(size=(rows, features)) + 3.0 * np.eye(max(classes, features))[labels, :features]
        columns = {f"f{index}": values[:, index] for index in range(features)}
        return self.write(name, row=np.arange(rows), label=labels, **columns)

    def record(self, path) -> DataRecord:
        return resolve(str(path), "latest")

    def config(self, **changes) -> TrainerConfig:
        """A short run on `blobs`, which is made if it is not there."""
        path = self.path / "table"
        data = self.record(path if path.exists() else self.blobs())
        return attrs.evolve(TrainerConfig("run1", data, 3, 0.25, SETTINGS), **changes)

    def folder(self, config: TrainerConfig, name="run") -> RunFolder:
        made = RunFolder(self.path / name)
        made.prepare(render_config(config))
        return made

    def trainer(self, folder: RunFolder, *, attempt=1, **options) -> "subprocess.Popen[str]":
        """Start the real program."""
        return subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-m",
                "windlass.operators.training.trainer",
                str(folder.path),
                "--attempt",
                str(attempt),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            **options,
        )


@pytest.fixture
def lab(tmp_path):
    return Lab(tmp_path)
