"""GPT-2: one fused layer for query, key and value, kept as its transpose (`Conv1D`)."""

from typing import Final

from windlass.operators.training.llm.family import Family

__all__ = ("GPT2",)

GPT2: Final = Family(
    name="gpt2",
    targets=("c_attn", "c_proj", "c_fc"),
    template="{prompt}\n",
    options={"fan_in_fan_out": True},
)
