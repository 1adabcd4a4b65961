"""Tiny models, made once, and runs on tables of questions."""

import pytest
from llm_tables import ISLANDS, SETTINGS, write_texts

from windlass.operators.training.llm.config import TuningConfig, render_tuning
from windlass.operators.training.runfolder import RunFolder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The folder of the models."""
    import torch
    from tiny_models import make

    torch.set_num_threads(1)  # as the supervisor has it, so that sums are the same in every process
    folder = tmp_path_factory.mktemp("tiny")
    make(folder)
    return folder


@pytest.fixture
def questions(tmp_path):
    """A table of prompts and completions, every fact of it six times."""
    facts = [(f"which city is on {name}?", f"{name[::-1]} city") for name in ISLANDS for _ in range(6)]
    prompts, completions = zip(*facts, strict=True)
    return write_texts(tmp_path / "questions", range(len(facts)), prompt=prompts, completion=completions)


@pytest.fixture
def run(tmp_path, tiny, questions):
    """Makes the configuration of a run and its folder."""

    def made(name="run", *, family="llama", merge=False, settings=SETTINGS, **changes):
        given = {"run": "run1", "data": questions, "seed": 3, "holdout": 0.25, "model": str(tiny / family)}
        config = TuningConfig(**(given | changes), merge=merge, settings=settings)
        folder = RunFolder(tmp_path / name)
        folder.prepare(render_tuning(config))
        return folder, config

    return made
