"""What a user of KServe's Python client does, as a program for that client's own environment.

    python kserve_client.py HTTP_URL GRPC_ADDRESS

Prints one JSON object: what each call came to, under a name. It imports nothing of ours.
"""

import asyncio
import json
import logging
import sys

import grpc
import httpx
import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

VALUES = {
    "BOOL": [True, False],
    "UINT8": [0, 2**8 - 1],
    "UINT16": [0, 2**16 - 1],
    "UINT32": [0, 2**32 - 1],
    "UINT64": [0, 2**64 - 1],
    "INT8": [-(2**7), 2**7 - 1],
    "INT16": [-(2**15), 2**15 - 1],
    "INT32": [-(2**31), 2**31 - 1],
    "INT64": [-(2**63), 2**53 + 1],
    "FP16": [0.5, -2.0],
    "FP32": [0.5, -2.0],
    "FP64": [0.1, -2e300],
    "BYTES": ["", "é7"],
}
DTYPES = {
    "BOOL": "?", "UINT8": "u1", "UINT16": "u2", "UINT32": "u4", "UINT64": "u8", "INT8": "i1", "INT16": "i2",
    "INT32": "i4", "INT64": "i8", "FP16": "f2", "FP32": "f4", "FP64": "f8",
}  # fmt: skip


def request(datatype: str, *, raw: bool, answered_raw: bool) -> InferRequest:
    tensor = InferInput("t", [1, 2], datatype)
    values = [one.encode() for one in VALUES[datatype]] if datatype == "BYTES" else VALUES[datatype]
    array = np.array([values], dtype=object if datatype == "BYTES" else DTYPES[datatype])
    tensor.set_data_from_numpy(array, binary_data=raw)
    outputs = [RequestedOutput("t", {"binary_data": answered_raw})]
    return InferRequest(f"echo-{datatype}", [tensor], request_id="é7", request_outputs=outputs)


def shown(response) -> dict[str, object]:
    output = response.outputs[0]
    values = output.as_numpy().ravel().tolist()
    return {
        "id": response.id,
        "model": response.model_name,
        "version": response.model_version,
        "shape": list(output.shape),
        "values": [one.decode() if isinstance(one, bytes) else one for one in values],
    }


def ways(datatype: str) -> list[tuple[bool, bool]]:
    """Whether a datatype is sent raw, and answered raw: half precision has no other form than raw bytes."""
    raws = (True,) if datatype == "FP16" else (True, False)
    return [(sent, answered) for sent in raws for answered in raws]


async def over_http(base: str) -> dict[str, object]:
    found: dict[str, object] = {}
    async with InferenceRESTClient(RESTConfig(protocol="v2", retries=0)) as client:
        found["live"] = await client.is_server_live(base)
        found["ready"] = await client.is_server_ready(base)
        found["model ready"] = await client.is_model_ready(base, "linear")
        found["nothing ready"] = await client.is_model_ready(base, "nothing")
        for datatype in VALUES:
            for sent, answered in ways(datatype):
                asked = request(datatype, raw=sent, answered_raw=answered)
                response = await client.infer(base, asked, model_name=f"echo-{datatype}")
                found[f"{datatype} {sent} {answered}"] = shown(response)
        body = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [2], "data": [1.0, 2.5]}]}
        found["dict"] = (await client.infer(base, body, model_name="linear")).outputs[0].data
        for name, wrong in (("unknown model", "nothing"), ("wrong datatype", "echo-FP32")):
            try:
                await client.infer(base, request("FP64", raw=False, answered_raw=False), model_name=wrong)
            except httpx.HTTPStatusError as error:
                found[name] = [error.response.status_code, str(error)]
    async with InferenceRESTClient(RESTConfig(protocol="v1", retries=0)) as client:
        found["v1 live"] = await client.is_server_live(base)
        found["v1 ready"] = await client.is_model_ready(base, "linear")
        found["v1"] = await client.infer(base, {"instances": [1.0, 2.5]}, model_name="linear")
        found["v1 explain"] = await client.explain(base, "linear", {"instances": [2.5]})
        try:
            await client.infer(base, {"instances": "x"}, model_name="linear")
        except httpx.HTTPStatusError as error:
            found["v1 wrong"] = [error.response.status_code, str(error)]
    return found


async def over_grpc(address: str) -> dict[str, object]:
    found: dict[str, object] = {}
    async with InferenceGRPCClient(address, retries=0) as client:
        found["live"] = await client.is_server_live()
        found["ready"] = await client.is_server_ready()
        found["model ready"] = await client.is_model_ready("linear")
        for datatype in VALUES:
            for sent in sorted({sent for sent, _ in ways(datatype)}):
                response = await client.infer(request(datatype, raw=sent, answered_raw=sent))
                found[f"{datatype} {sent}"] = shown(response)
        wrong = request("FP64", raw=True, answered_raw=True)
        for name, model in (("unknown model", "nothing"), ("wrong datatype", "echo-FP32")):
            wrong.model_name = model
            try:
                await client.infer(wrong)
            except grpc.RpcError as error:
                found[name] = [error.code().name, error.details()]
    return found


async def main(base: str, address: str) -> None:
    logging.disable(logging.CRITICAL)  # it logs each error with its trace and raises it, too
    print(json.dumps({"http": await over_http(base), "grpc": await over_grpc(address)}))


asyncio.run(main(*sys.argv[1:]))
