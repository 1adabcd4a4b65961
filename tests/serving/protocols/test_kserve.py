"""KServe's Python client, unmodified, in an environment and a process of its own, over HTTP and gRPC."""

import asyncio
import json
from pathlib import Path

import pytest
from peers import peer_program

from windlass.serving import Endpoint, EndpointOptions, LinearModel, ModelRepository, TensorSpec

CLIENT = Path(__file__).with_name("kserve_client.py")
# What the client sends, which it keeps to itself.
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


@pytest.fixture(scope="module")
def session(echo):
    """What every call of the client came to: one process asks everything, since it takes a second to begin."""
    repository = ModelRepository()
    repository.add("linear", LinearModel())
    for datatype in VALUES:
        repository.add(f"echo-{datatype}", echo(TensorSpec("t", datatype, (-1, 2))))

    async def scenario():
        async with (
            asyncio.timeout(60),
            Endpoint(repository, port=0, options=EndpointOptions(grpc_port=0)) as endpoint,
        ):
            command = (peer_program("python"), str(CLIENT), endpoint.url, endpoint.grpc_address)
            process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
            written, _ = await process.communicate()
            assert process.returncode == 0
            return json.loads(written)

    return asyncio.run(scenario())


@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_it_sees_that_the_server_lives_and_is_ready(session, transport):
    """R1-R3."""
    found = session[transport]
    assert (found["live"], found["ready"], found["model ready"]) == (True, True, True)


def test_it_sees_that_a_model_is_not_there(session):
    """R3."""
    assert session["http"]["nothing ready"] is False


@pytest.mark.parametrize("answered_raw", [True, False])
@pytest.mark.parametrize("sent_raw", [True, False])
@pytest.mark.parametrize("datatype", [one for one in VALUES if one != "FP16"])
def test_every_datatype_comes_back_over_http(session, datatype, sent_raw, answered_raw):
    """R7, R12, B1, B2, B5, B6."""
    found = session["http"][f"{datatype} {sent_raw} {answered_raw}"]
    assert found["values"] == VALUES[datatype]
    assert (found["id"], found["model"], found["shape"]) == ("é7", f"echo-{datatype}", [1, 2])


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("datatype", [one for one in VALUES if one != "FP16"])
def test_every_datatype_comes_back_over_grpc(session, datatype, raw):
    """R7, G1-G3."""
    found = session["grpc"][f"{datatype} {raw}"]
    assert found["values"] == VALUES[datatype]
    assert (found["id"], found["model"], found["version"], found["shape"]) == ("é7", f"echo-{datatype}", "7", [1, 2])


def test_half_precision_comes_back_raw(session):
    """R12."""
    assert session["http"]["FP16 True True"]["values"] == session["grpc"]["FP16 True"]["values"] == VALUES["FP16"]


def test_a_plain_dict_is_a_request_too(session):
    assert session["http"]["dict"] == [0.7, -0.5]


def test_it_understands_our_errors(session):
    """R9-R11, G5: its own message has our sentence in it."""
    http, grpc = session["http"], session["grpc"]
    unknown, wrong = "there is no model 'nothing'", "input 't': datatype 'FP64', expected 'FP32'"
    assert http["unknown model"][0] == 404
    assert http["unknown model"][1].startswith(unknown)
    assert http["wrong datatype"][0] == 400
    assert http["wrong datatype"][1].startswith(wrong)
    assert grpc["unknown model"] == ["NOT_FOUND", unknown]
    assert grpc["wrong datatype"] == ["INVALID_ARGUMENT", wrong]


def test_it_speaks_v1(session):
    """V1-1 to V1-5."""
    found = session["http"]
    assert (found["v1 live"], found["v1 ready"]) == (True, True)
    assert found["v1"] == {"predictions": [0.7, -0.5]}
    assert found["v1 explain"] == {"explanations": [{"contribution": -2.0, "bias": 1.5}]}
    assert found["v1 wrong"][0] == 400
    assert found["v1 wrong"][1].startswith('Expected "instances" to be a list')
