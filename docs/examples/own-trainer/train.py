"""A trainer that knows Windlass by its environment alone: logistic regression in numpy, started and killed at will.

It imports nothing of Windlass. Whatever it commits, a checkpoint or the result, appears under its name in one step, and
only while the attempt's token is still the one in the run's folder.
"""

import hashlib
import json
import os
import shutil
import sys
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

import deltalake
import numpy as np
from arro3.core import Table
from onnx import TensorProto, helper, numpy_helper

TRY_AGAIN = 75

folder = Path(unquote(urlsplit(os.environ["WINDLASS_OUTPUT_URI"]).path))
run, attempt = os.environ["WINDLASS_RUN_ID"], os.environ["WINDLASS_ATTEMPT"]
settings = {"epochs": 30, "learningRate": 0.5} | json.loads(os.environ["WINDLASS_HYPERPARAMETERS"])


def commit(path: Path, content: bytes) -> None:
    """Put a file under its name in one step; give up if another attempt has taken over meanwhile."""
    temporary = path.with_name(f".{path.name}.{attempt}")
    temporary.write_bytes(content)
    still_ours()
    os.replace(temporary, path)


def still_ours() -> None:
    if (folder / "attempt").read_text() != attempt:
        sys.exit(TRY_AGAIN)


def rows() -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of the rows that may be trained on, of the version that was pinned."""
    table = deltalake.DeltaTable(os.environ["WINDLASS_DATA_URI"], version=int(os.environ["WINDLASS_DATA_VERSION"]))
    found = Table.from_arrow(deltalake.QueryBuilder().register("t", table).execute("select * from t order by row"))
    columns = {name: found.column(name).to_numpy() for name in found.schema.names}
    held_out = json.loads((folder / "split.json").read_text())["heldOut"]
    training = ~np.isin(columns.pop("row"), held_out)
    labels = columns.pop("label")[training]
    return np.stack([column[training] for column in columns.values()], axis=1).astype(float), labels


def manifest_of(step: int, arrays: bytes) -> bytes:
    digest = hashlib.sha256(arrays).hexdigest()
    return json.dumps({
        "run": run, "dataSha256": os.environ["WINDLASS_DATA_DIGEST"],
        "configSha256": os.environ["WINDLASS_CONFIG_DIGEST"], "step": step,
        "files": {"weights.npy": {"size": len(arrays), "sha256": digest}},
    }).encode()  # fmt: skip


def save(weights: np.ndarray, step: int) -> None:
    """A checkpoint: its files and their digests, renamed as a whole."""
    final = folder / "checkpoints" / f"{step:010d}"
    temporary = final.with_name(f".{final.name}.{attempt}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    np.save(temporary / "weights.npy", weights)
    (temporary / "manifest.json").write_bytes(manifest_of(step, (temporary / "weights.npy").read_bytes()))
    still_ours()
    shutil.rmtree(final, ignore_errors=True)
    temporary.rename(final)


def load(shape: tuple[int, int]) -> tuple[np.ndarray, int]:
    """The weights of the newest checkpoint that is whole and of this run; zeros if there is none."""
    for saved in sorted((folder / "checkpoints").glob("[0-9]*"), reverse=True):
        try:
            content = (saved / "weights.npy").read_bytes()
            if (saved / "manifest.json").read_bytes() == manifest_of(int(saved.name), content):
                return np.load(saved / "weights.npy"), int(saved.name)
        except FileNotFoundError:
            continue
    return np.zeros(shape), 0


def as_onnx(weights: np.ndarray, classes: np.ndarray, scale: float) -> bytes:
    """`x` FP32 [N, F] to `label` INT64 [N] and `probabilities` FP32 [N, K]."""
    arrays = {"factor": np.float32(1 / scale), "weights": weights[:-1].astype(np.float32),
              "bias": weights[-1].astype(np.float32), "classes": classes.astype(np.int64)}  # fmt: skip
    nodes = [
        helper.make_node("Mul", ["x", "factor"], ["scaled"]),
        helper.make_node("MatMul", ["scaled", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["logits"], ["index"], axis=1, keepdims=0),
        helper.make_node("Gather", ["classes", "index"], ["label"]),
    ]
    graph = helper.make_graph(
        nodes, "own",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", weights.shape[0] - 1])],
        [helper.make_tensor_value_info("label", TensorProto.INT64, ["N"]),
         helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", len(classes)])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in arrays.items()],
    )  # fmt: skip
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    made.ir_version = 7
    return made.SerializeToString(deterministic=True)


def main() -> None:
    started = time.monotonic()
    features, labels = rows()
    classes, targets = np.unique(labels, return_inverse=True)
    scale = float(np.abs(features).max()) or 1.0
    inputs = np.hstack([features / scale, np.ones((len(features), 1))])
    weights, step = load((inputs.shape[1], len(classes)))
    while True:
        logits = inputs @ weights
        exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
        chances = exponents / exponents.sum(axis=1, keepdims=True)
        loss = float(-np.log(chances[np.arange(len(targets)), targets] + 1e-12).mean())
        accuracy = float((chances.argmax(axis=1) == targets).mean())
        told = {"epoch": step, "epochs": settings["epochs"], "step": step, "loss": round(loss, 6),
                "accuracy": round(accuracy, 6), "attempt": attempt}  # fmt: skip
        line = json.dumps(told)
        print(line, flush=True)
        with (folder / "progress.jsonl").open("a") as log:
            log.write(line + "\n")
        if step >= settings["epochs"]:
            break
        chances[np.arange(len(targets)), targets] -= 1
        weights = weights - settings["learningRate"] * inputs.T @ chances / len(inputs)
        step += 1
        save(weights, step)
        time.sleep(settings.get("pauseSeconds", 0))
    model = as_onnx(weights, classes, scale)
    commit(folder / "model.onnx", model)
    result = {"run": run, "modelSha256": hashlib.sha256(model).hexdigest(), "classes": classes.tolist(),
              "seconds": round(time.monotonic() - started, 3), **told}  # fmt: skip
    commit(folder / "result.json", json.dumps(result).encode())


if __name__ == "__main__":
    main()
