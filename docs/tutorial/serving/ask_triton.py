"""Asks with Triton's client: raw tensors over HTTP."""

import sys

import numpy as np
import tritonclient.http as triton

address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8080"
flats = np.array([[3, 75], [1, 25]], dtype=np.float64)

with triton.InferenceServerClient(address) as client:
    x = triton.InferInput("x", flats.shape, "FP64")
    x.set_data_from_numpy(flats)
    answer = client.infer("flats", [x], timeout=2_000_000)  # microseconds
    for flat, price in zip(flats, answer.as_numpy("prediction"), strict=True):
        print(f"{flat[0]:.0f} rooms, {flat[1]:.0f} square metres: {price:.1f}")
