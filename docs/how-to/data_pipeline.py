"""From a CSV file to a model folder whose endpoint takes the file's columns: python data_pipeline.py FILE MODELS."""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

from windlass.operators.training.export import Trained, as_onnx
from windlass.serving.data import Column, Pipeline, Reader, Reading, Schema, fit

SCHEMA = Schema(
    (
        Column("age"),
        Column("city", "category", fill="?"),
        Column("visits", "integer", fill=0),
        Column("bought", "integer"),
    ),
    label="bought",
)


def main(path: Path, models: Path) -> None:
    reader = Reader([path], SCHEMA, reading=Reading(on_bad="skip", shuffle=True, seed=7))
    pipeline = Pipeline(SCHEMA, fit(SCHEMA, (batch.table for batch in reader.batches())))
    weights = np.zeros(len(pipeline.names))
    for epoch in range(20):
        for batch in reader.batches(reader.begin(epoch)):
            x, y = pipeline.transform(batch.table), batch.table["bought"]
            weights += 0.5 * x.T @ (y - 1 / (1 + np.exp(-x @ weights))) / len(y)
    publish(models / "buyers", weights, pipeline)
    print(json.dumps(reader.lineage(reader.ended)["steps"][0]))


def publish(folder: Path, weights: np.ndarray, pipeline: Pipeline) -> None:
    """Model, pipeline and description, complete when the version's folder appears."""
    both = np.stack([np.zeros_like(weights), weights], axis=1)
    content = as_onnx(Trained.linear(both, np.zeros(2), np.array([0, 1]), 1.0))
    version = 1 + max((int(there.name) for there in folder.glob("[0-9]*")), default=0)
    partial = folder / f".{version}.partial"
    partial.mkdir(parents=True)
    (partial / "model.onnx").write_bytes(content)
    (partial / "pipeline.json").write_bytes(pipeline.to_json())
    description = {
        "format": "onnx",
        "file": "model.onnx",
        "sha256": hashlib.sha256(content).hexdigest(),
        "pipeline": {"file": "pipeline.json", "digest": pipeline.digest},
    }
    (partial / "model.json").write_text(json.dumps(description))
    partial.rename(folder / str(version))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python data_pipeline.py FILE MODELS")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
