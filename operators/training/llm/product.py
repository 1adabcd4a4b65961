"""What a tuning leaves is a bundle: the adapter as peft reads it, and if asked for the whole model with it merged.

    adapter/adapter_config.json adapter/adapter_model.safetensors
    merged/                     as `transformers` reads it, tokenizer included

Equal weights give equal bytes. This module does not know how they came about.
"""

import os
import shutil
from pathlib import Path
from typing import Any, Final

from windlass.operators.training.bundle import close_bundle
from windlass.operators.training.files import canonical_json, write_durably
from windlass.operators.training.llm.base import open_model
from windlass.operators.training.llm.tuning import Tuning

__all__ = ("open_product", "write_product")

_ADAPTER: Final = "adapter"
_MERGED: Final = "merged"


def write_product(tuning: Tuning, tokenizer: Any, *, base: str, merge: bool, folder: Path) -> str:
    """Write the bundle to `folder`, in one step, and return its digest. `base` is what the adapter says it is for.

    A merged `tuning` cannot be taught any further.
    """
    from peft import get_peft_model_state_dict  # noqa: PLC0415  (seconds to import)
    from safetensors.torch import save  # noqa: PLC0415

    temporary = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    (temporary / _ADAPTER).mkdir(parents=True)
    tensors = {name: one.contiguous() for name, one in sorted(get_peft_model_state_dict(tuning.model).items())}
    write_durably(temporary / _ADAPTER / "adapter_model.safetensors", save(tensors, metadata={"format": "pt"}))
    described = {name: _plain(value) for name, value in tuning.lora.to_dict().items()}
    described |= {"base_model_name_or_path": base, "inference_mode": True}
    write_durably(temporary / _ADAPTER / "adapter_config.json", canonical_json(described))
    if merge:
        tuning.model.merge_and_unload().save_pretrained(temporary / _MERGED)
        tokenizer.save_pretrained(temporary / _MERGED)
    return close_bundle(temporary, folder)


def open_product(folder: Path, base: Path) -> Any:
    """The model as somebody who fetched the bundle would read it: merged if it is there, else base and adapter."""
    if (folder / _MERGED).is_dir():
        return open_model(folder / _MERGED)
    from peft import PeftModel  # noqa: PLC0415  (seconds to import)

    return PeftModel.from_pretrained(open_model(base), folder / _ADAPTER)


def _plain(value: Any) -> Any:
    """As JSON, sets in order: peft keeps some fields in sets, whose order is another one in each process."""
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    return getattr(value, "value", value)
