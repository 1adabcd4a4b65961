"""Learns the price of a flat from its rooms and square metres, and publishes it as the next version of a model."""

import hashlib
import json
from pathlib import Path

import numpy as np

# rooms, square metres, price in thousands
FLATS = np.array([[1, 30, 112], [2, 55, 186], [2, 60, 201], [3, 80, 266], [4, 100, 329], [5, 140, 446]], dtype=float)

rows = np.column_stack((np.ones(len(FLATS)), FLATS[:, :2]))
bias, *weights = np.linalg.lstsq(rows, FLATS[:, 2], rcond=None)[0].round(6).tolist()
content = json.dumps({"bias": bias, "weight": weights}).encode()

model = Path("models") / "flats"
version = 1 + max((int(folder.name) for folder in model.glob("[0-9]*")), default=0)
folder = model / f".{version}.partial"  # not looked at before it is complete
folder.mkdir(parents=True, exist_ok=True)
(folder / "flats.json").write_bytes(content)
description = {
    "format": "linear",
    "file": "flats.json",
    "sha256": hashlib.sha256(content).hexdigest(),
    "metadata": {"flats": len(FLATS)},
}
(folder / "model.json").write_text(json.dumps(description))
folder.rename(model / str(version))
print(f"published version {version}: {bias:.1f} + {weights[0]:.1f} * rooms + {weights[1]:.1f} * square metres")
