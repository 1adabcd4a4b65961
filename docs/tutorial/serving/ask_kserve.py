"""Asks with KServe's client, over gRPC."""

import asyncio
import sys

import numpy as np
from kserve import InferenceGRPCClient, InferInput, InferRequest

flats = np.array([[3, 75], [1, 25]], dtype=np.float64)


async def main(address: str) -> None:
    x = InferInput("x", list(flats.shape), "FP64")
    x.set_data_from_numpy(flats)
    async with InferenceGRPCClient(address) as client:
        answer = await client.infer(InferRequest("flats", [x]))
    for flat, price in zip(flats, answer.outputs[0].as_numpy(), strict=True):
        print(f"{flat[0]:.0f} rooms, {flat[1]:.0f} square metres: {price:.1f}")


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9000"))
