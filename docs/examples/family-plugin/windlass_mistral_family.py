"""Mistral, a family that Windlass does not come with: where an adapter goes, and how a prompt looks."""

from typing import Final

from windlass.operators.training.llm.family import Family

__all__ = ("MISTRAL",)

MISTRAL: Final = Family(
    name="mistral",
    targets=("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
    template="[INST] {prompt} [/INST]",
)
