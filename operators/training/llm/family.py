"""A family says what its models have in common: where an adapter goes, how a prompt looks, which token ends an answer.

It is data, found by the `model_type` of a model's `config.json`. A new family is a new module: one of ours in
`families/`, or one of an installed package that offers it by an entry point in the group `windlass.families`
(`mistral = "mypackage.mistral:MISTRAL"`). This module does not know how a model is trained.
"""

from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

import attrs

from windlass.controller.executors import ExecutorRegistry

__all__ = ("CONTRACT", "ENTRY_POINT_GROUP", "Family", "FamilyRegistry", "family_registry")

ENTRY_POINT_GROUP: Final = "windlass.families"
CONTRACT: Final = ("name", "targets", "template", "end", "options")


@attrs.frozen(kw_only=True)
class Family:
    """`name` is the `model_type`, `targets` are the names of the layers that an adapter is put beside.

    `template` shows a prompt to a model whose tokenizer has no chat template, with the prompt at `{prompt}`. `end` is
    the token that ends an answer, the tokenizer's own unless given. `options` are further ones of peft's `LoraConfig`.
    """

    name: str
    targets: tuple[str, ...]
    template: str = "{prompt}"
    end: str | None = None
    options: Mapping[str, Any] = attrs.field(factory=dict)


FamilyRegistry = ExecutorRegistry[Family]


def family_registry(
    discover: Callable[[], Iterable[EntryPoint]] = lambda: entry_points(group=ENTRY_POINT_GROUP),
) -> FamilyRegistry:
    """A registry with our own families and those of installed packages."""
    from windlass.operators.training.llm.families.gpt2 import GPT2  # noqa: PLC0415  (they are made of this module)
    from windlass.operators.training.llm.families.llama import LLAMA  # noqa: PLC0415

    registry: FamilyRegistry = ExecutorRegistry(contract=CONTRACT, discover=discover, noun="model family")
    for family in (GPT2, LLAMA):
        registry.register(family.name, family)
    return registry
