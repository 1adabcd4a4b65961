"""Llama, versions 1 to 3: every linear layer of attention and of the gated network, as QLoRA puts adapters."""

from typing import Final

from windlass.operators.training.llm.family import Family

__all__ = ("LLAMA",)

LLAMA: Final = Family(
    name="llama",
    targets=("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
    template="### Instruction:\n{prompt}\n\n### Response:\n",
)
