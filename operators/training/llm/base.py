"""A base model is a folder as the library `transformers` keeps it, read without code of its own and without a network.

Its weights are safetensors, never pickles. What it is, its digest says: a run that is resumed demands the same one.
This module does not know how it is tuned.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, Final

from windlass.controller.errors import ExecutorError
from windlass.operators.errors import TrainingError
from windlass.operators.training.files import read_json
from windlass.operators.training.llm.family import Family, FamilyRegistry

__all__ = ("base_sha256", "family_of", "open_model", "open_tokenizer")

_OFFLINE: Final = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
_LOCAL: Final = {"local_files_only": True, "trust_remote_code": False}
_PIECE_BYTES: Final = 1024 * 1024


def family_of(folder: Path, registry: FamilyRegistry) -> Family:
    """The family of the model in a folder, by `model_type` of its `config.json`. Raises TrainingError."""
    described = read_json(folder / "config.json")
    if described is None:
        raise _unusable(folder, "expected a folder with a config.json")
    if not any(folder.glob("*.safetensors")):
        raise _unusable(folder, "expected weights in files called *.safetensors")
    name = described.get("model_type")
    try:
        return registry.get(str(name))
    except ExecutorError as error:
        raise TrainingError(f"{folder / 'config.json'}: model_type: {error}", reason="FamilyNotFound") from error


def base_sha256(folder: Path) -> str:
    """The digest of names and bytes of all files in the folder. Blocks, for as long as reading them takes."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        hashed = hashlib.sha256()
        with path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                hashed.update(piece)
        total.update(json.dumps([path.relative_to(folder).as_posix(), hashed.hexdigest()]).encode())
    return total.hexdigest()


def open_tokenizer(folder: Path) -> Any:
    """The tokenizer. Raises TrainingError with the reason ModelUnusable."""
    os.environ.update(_OFFLINE)
    from transformers import AutoTokenizer  # noqa: PLC0415  (seconds to import)

    try:
        return AutoTokenizer.from_pretrained(folder, **_LOCAL)
    except Exception as error:  # the library's errors share no other root
        raise _unusable(folder, f"its tokenizer does not load: {error}") from error


def open_model(folder: Path) -> Any:
    """The model in single precision. Raises TrainingError with the reason ModelUnusable."""
    os.environ.update(_OFFLINE)
    import torch  # noqa: PLC0415  (seconds to import)
    from transformers import AutoModelForCausalLM  # noqa: PLC0415
    from transformers.utils import logging  # noqa: PLC0415

    logging.set_verbosity_error()
    logging.disable_progress_bar()  # the last line on stderr is for the reason of a failure
    try:
        model, told = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, output_loading_info=True, **_LOCAL
        )
    except Exception as error:  # the libraries' errors share no other root
        raise _unusable(folder, f"the model does not load: {error}") from error
    # The library would fill them with chance and go on.
    if missing := sorted([*told["missing_keys"], *told["mismatched_keys"]], key=str):
        raise _unusable(folder, f"{len(missing)} of its weights are missing or of another shape, as {missing[0]}")
    return model


def _unusable(folder: Path, why: str) -> TrainingError:
    return TrainingError(f"hyperparameters.model {folder}: {why}", reason="ModelUnusable")
