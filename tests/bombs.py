"""Requests made to break an endpoint: valid ones, bent in a few places. The same seed makes the same requests."""

import gzip
import json
import math
import random
import zlib
from urllib.parse import quote

import attrs
import numpy as np

from windlass.serving.tensors import DATATYPES, TensorSpec

# One model for each datatype, and one with several inputs of which some are no batches.
SPECS = {
    **{f"echo-{name.lower()}": (TensorSpec("t", name, (-1, -1)),) for name in DATATYPES},
    "mixed": (TensorSpec("a", "FP32", (-1, 2)), TensorSpec("b", "INT8", (-1,)), TensorSpec("c", "BYTES", (2,))),
}
HEADER = "Inference-Header-Content-Length"
SIZES = (0, -1, 1, 2, 3, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 10**30, 10**4000, -(10**30), 0.5, "2", None, True, [], {})
VALUES = (
    *(0, 1, -1, 127, 128, 255, 256, -129, 2**31, 2**63, 2**64, -(2**63) - 1, 10**400, 0.1, 1e38, 3.5e38, 1e308, -0.0),
    *(math.nan, math.inf, -math.inf, True, False, None, "", "a", "\x00", "é", "𝄞", "true", [], [[]], {}, {"a": 1}),
)
NAMES = ("t", "a", "b", "c", "x", "", "é", "\x00", "t" * 10_000, None, 1, [], "../t", "t\n")
LENGTHS = ("", "-1", "1.5", "x", "9" * 5000, "²")
KINDS = (
    *("application/json", "application/octet-stream", "text/plain", "text/csv", "image/png", "application/xml"),
    *("multipart/form-data", "application/json; charset=utf-16", "a" * 200, "/", ";", "application/grpc"),
)
ENCODINGS = {"gzip": gzip.compress, "deflate": zlib.compress, "br": bytes, "identity": bytes, "nonsense": bytes}


@attrs.frozen
class Bomb:
    """One request."""

    method: str
    path: str
    body: bytes = attrs.field(repr=lambda body: repr(body[:300]))
    headers: dict[str, str]


def bomb(rng: random.Random) -> Bomb:
    """A request of one of the protocols."""
    made = rng.choice((_infer, _infer, _infer, _raw, _rows, _plain, _index, _deep))(rng)
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        made = rng.choice((_cut, _flipped, _typed, _encoded, _lengthened, _moved, _doubled))(rng, made)
    return made


def _infer(rng: random.Random) -> Bomb:
    name, specs = rng.choice(list(SPECS.items()))
    request = {"inputs": [_tensor(rng, spec) for spec in specs]}
    _bend_request(rng, request)
    return _post(f"/v2/models/{name}/infer", _json(request))


def _raw(rng: random.Random) -> Bomb:
    name, specs = rng.choice(list(SPECS.items()))
    tensors, blobs = [], []
    for spec in specs:
        tensor = _tensor(rng, spec, bent=rng.random() < 0.3)
        shape = tensor.get("shape")
        count = math.prod(shape) if isinstance(shape, list) and all(isinstance(one, int) for one in shape) else 1
        blob = _blob(rng, spec.datatype, count if 0 <= count < 1000 else 3)
        tensor.pop("data", None)
        size = len(blob) if rng.random() < 0.8 else rng.choice(SIZES)
        tensor["parameters"] = {"binary_data_size": size}
        tensors.append(tensor)
        blobs.append(blob)
    request = {"inputs": tensors}
    if rng.random() < 0.5:
        request["parameters"] = {"binary_data_output": rng.choice((True, True, False, 1, "true", None))}
    if rng.random() < 0.3:
        _bend_request(rng, request)
    head = _json(request)
    if rng.random() < 0.1:
        head, request = b"", {}
    body = head + b"".join(blobs)
    length = str(len(head)) if rng.random() < 0.8 else rng.choice((*LENGTHS, str(len(body) + 1)))
    kind = {"Content-Type": "application/octet-stream", HEADER: length}
    return attrs.evolve(_post(f"/v2/models/{name}/infer", body), headers=kind)


def _rows(rng: random.Random) -> Bomb:
    name, specs = rng.choice(list(SPECS.items()))
    if rng.random() < 0.3:
        instances = [{spec.name: _value(rng) for spec in specs} for _ in range(rng.randrange(3))]
    else:
        instances = [[_value(rng, specs[0].datatype) for _ in range(2)] for _ in range(rng.randrange(4))]
    if rng.random() < 0.2:
        instances = _value(rng)
    verb = rng.choice((":predict", ":predict", ":predict", "%3Apredict", ":explain", "", ":", ":predict:predict"))
    return _post(f"/v1/models/{name}{verb}", _json({"instances": instances}))


def _plain(rng: random.Random) -> Bomb:
    body = {"x": _value(rng, "FP64")}
    if rng.random() < 0.2:
        body[rng.choice([name for name in NAMES if isinstance(name, str)])] = _value(rng)
    return _post("/predict", _json(body))


def _index(rng: random.Random) -> Bomb:
    body = rng.choice((b"", b"{}", _json({"ready": _value(rng)}), _json({"ready": rng.choice((True, False))})))
    return _post("/v2/repository/index", body)


def _deep(rng: random.Random) -> Bomb:
    depth = rng.choice((10, 500, 5000, 100_000))
    opening, closing = rng.choice(((b"[", b"]"), (b'{"a":', b"}")))
    nest = opening * depth + b"1" + closing * (depth if rng.random() < 0.7 else rng.randrange(depth))
    around = rng.choice(
        (
            b'{"inputs": %s}',
            b'{"inputs": [{"name": "t", "datatype": "FP32", "shape": [1, 1], "data": %s}]}',
            b'{"inputs": [], "parameters": {"a": %s}}',
            b'{"unknown": %s}',
            b"%s",
        )
    )
    return _post(rng.choice(("/v2/models/echo-fp32/infer", "/predict", "/v1/models/echo-fp32:predict")), around % nest)


def _tensor(rng: random.Random, spec: TensorSpec, *, bent: bool | None = None) -> dict[str, object]:
    shape = [rng.randint(1, 3) if size == -1 else size for size in spec.shape]
    data = [_value(rng, spec.datatype, good=True) for _ in range(math.prod(shape))]
    tensor = {"name": spec.name, "datatype": spec.datatype, "shape": shape, "data": data}
    if rng.random() < 0.5 if bent is None else not bent:
        return tensor
    for _ in range(rng.randint(1, 2)):
        match rng.randrange(8):
            case 0:
                tensor["shape"] = [rng.choice(SIZES) for _ in range(rng.randrange(4))]
            case 1:
                tensor["shape"] = rng.choice((*SIZES, [1] * 10_000))
            case 2:
                tensor["data"] = [_value(rng, spec.datatype) for _ in range(rng.randrange(6))]
            case 3:
                tensor["data"] = _value(rng)
            case 4:
                tensor["name"] = rng.choice(NAMES)
            case 5:
                tensor["datatype"] = rng.choice((*DATATYPES, "FLOAT", "", None, 1))
            case 6:
                tensor["parameters"] = rng.choice((None, {"a": _value(rng)}, _value(rng)))
            case 7:
                tensor.pop(rng.choice(list(tensor)))
    return tensor


def _bend_request(rng: random.Random, request: dict[str, object]) -> None:
    inputs = request["inputs"]
    match rng.randrange(14):
        case 0:
            request["id"] = _value(rng)
        case 1:
            request["outputs"] = [{"name": rng.choice(NAMES), "parameters": {"binary_data": _value(rng)}}]
        case 2:
            request["outputs"] = _value(rng)
        case 3:
            request["parameters"] = {rng.choice(("binary_data_output", "timeout", "")): _value(rng)}
        case 4:
            inputs.append(rng.choice(inputs))
        case 5:
            inputs.pop()
        case 6:
            request["inputs"] = _value(rng)
        case 7:
            request["outputs"] = [{"name": tensor.get("name")} for tensor in inputs]


def _value(rng: random.Random, datatype: str = "", *, good: bool = False) -> object:
    if not datatype or (not good and rng.random() < 0.3):
        return rng.choice(VALUES)
    match DATATYPES[datatype].kind:
        case "b":
            return rng.random() < 0.5
        case "O":
            return rng.choice(("", "abc", "é"))
        case "i" | "u":
            information = np.iinfo(DATATYPES[datatype])
            return rng.randint(int(information.min), int(information.max))
    return rng.choice((0, 1.5, -2, 1e-30, rng.random()))


def _blob(rng: random.Random, datatype: str, count: int) -> bytes:
    match DATATYPES[datatype].kind:
        case "b":
            return bytes(rng.choice((0, 1, 1, 2 if rng.random() < 0.05 else 0)) for _ in range(count))
        case "O":
            lengths = [rng.choice((0, 1, 3, 2**32 - 1 if rng.random() < 0.05 else 2)) for _ in range(count)]
            return b"".join(one.to_bytes(4, "little") + rng.randbytes(min(one, 3)) for one in lengths)
    # Any bits, so that NaN and infinity are among them.
    return rng.randbytes(count * DATATYPES[datatype].itemsize)


def _json(value: object) -> bytes:
    return json.dumps(value).encode()  # writes NaN and Infinity, which JSON does not have


def _post(path: str, body: bytes) -> Bomb:
    return Bomb("POST", path, body, {"Content-Type": "application/json"})


def _cut(rng: random.Random, made: Bomb) -> Bomb:
    return attrs.evolve(made, body=made.body[: rng.randrange(len(made.body) + 1)])


def _flipped(rng: random.Random, made: Bomb) -> Bomb:
    body = bytearray(made.body)
    for _ in range(rng.randint(1, 4) if body else 0):
        body[rng.randrange(len(body))] = rng.randrange(256)
    return attrs.evolve(made, body=bytes(body))


def _typed(rng: random.Random, made: Bomb) -> Bomb:
    return attrs.evolve(made, headers={**made.headers, "Content-Type": rng.choice(KINDS)})


def _encoded(rng: random.Random, made: Bomb) -> Bomb:
    name = rng.choice(list(ENCODINGS))
    body = rng.choice((ENCODINGS[name], bytes))(made.body)
    return attrs.evolve(made, body=body, headers={**made.headers, "Content-Encoding": name})


def _lengthened(rng: random.Random, made: Bomb) -> Bomb:
    length = rng.choice((0, 1, len(made.body) // 2, len(made.body), len(made.body) + 1))
    return attrs.evolve(made, headers={**made.headers, HEADER: str(length)})


def _moved(rng: random.Random, made: Bomb) -> Bomb:
    method = rng.choice(("POST", "GET", "PUT", "DELETE", "OPTIONS", "PATCH"))
    path = rng.choice((made.path, f"{made.path}/", f"/{made.path}", quote(made.path, safe=""), "/v2/models/%ff/infer"))
    return attrs.evolve(made, method=method, path=path if path.startswith("/") else f"/{path}")


def _doubled(_: random.Random, made: Bomb) -> Bomb:
    return attrs.evolve(made, body=made.body * 2)
