"""Models made in code: a function, steps around it, two versions side by side, and an ensemble: python models.py."""

import asyncio
import hashlib
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import numpy as np

from windlass.serving import CallableModel, Endpoint, ModelRepository, TensorSpec, Transformed

SCORE = TensorSpec("score", "FP64", (-1,))
LENGTH = TensorSpec("length", "FP64", (-1,))
TEXT = TensorSpec("text", "BYTES", (-1,))
MOOD = TensorSpec("mood", "BYTES", (-1,))


def score(length):
    """What a model computes: arrays in, an array out, row by row."""
    return length - 10


def measured(text):
    return np.array([float(len(one)) for one in text])


def named(score):
    return np.array([b"long" if one > 0 else b"short" for one in score], dtype=object)


def ensemble(root: Path) -> None:
    """Write the version folder of a model that asks two others."""
    graph = {
        "inputs": [TEXT.to_dict()],
        "outputs": [{**SCORE.to_dict(), "from": "score.score"}, {**MOOD.to_dict(), "from": "mood.mood"}],
        "steps": [
            {"name": "measure", "model": "measure", "inputs": {"text": "text"}},
            {"name": "score", "model": "score", "version": "1", "inputs": {"length": "measure.length"}},
            {"name": "mood", "model": "mood", "inputs": {"text": "text"}},
        ],
    }
    content = json.dumps(graph).encode()
    folder = root / "both" / ".1"
    folder.mkdir(parents=True)
    (folder / "graph.json").write_bytes(content)
    described = {"format": "ensemble", "file": "graph.json", "sha256": hashlib.sha256(content).hexdigest()}
    (folder / "model.json").write_text(json.dumps(described))
    folder.rename(root / "both" / "1")  # a version is there at once, or not at all


async def main() -> None:
    with TemporaryDirectory() as folder:
        repository = ModelRepository(Path(folder))
        model = CallableModel(score, (LENGTH,), (SCORE,), name="score", version="1")
        repository.add("score", model)
        repository.add("score", CallableModel(lambda length: -length, (LENGTH,), (SCORE,), version="2"), beside=True)
        repository.add("measure", CallableModel(measured, (TEXT,), (LENGTH,)))
        repository.add("mood", Transformed(model, before=measured, after=named, inputs=(TEXT,), outputs=(MOOD,)))
        ensemble(Path(folder))
        async with Endpoint(repository, port=0) as endpoint, aiohttp.ClientSession(endpoint.url) as session:
            await repository.wait_for("both")
            text = {"name": "text", "datatype": "BYTES", "shape": [2], "data": ["hm", "a story without an end"]}
            async with session.post("/v2/models/both/infer", json={"inputs": [text]}) as response:
                for output in (await response.json())["outputs"]:
                    print(output["name"], output["data"])
            async with session.get("/v2/models/score") as response:
                print("versions", (await response.json())["versions"])


if __name__ == "__main__":
    asyncio.run(main())
