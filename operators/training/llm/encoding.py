"""An example becomes tokens, of which those from a mark on are learnt: the completion and the token that ends it.

The prompt is shown by the tokenizer's own chat template, if it has one, else by its family's. This module does not know
the model.
"""

from collections.abc import Sequence
from typing import Any

import attrs

from windlass.operators.errors import DataError, TrainingError
from windlass.operators.training.llm.family import Family
from windlass.operators.training.llm.texts import Example

__all__ = ("Encoded", "Encoder")


@attrs.frozen
class Encoded:
    """Token ids, and the index of the first one that is to be predicted, at least 1."""

    tokens: tuple[int, ...]
    learnt: int


class Encoder:
    """Turns examples into at most `length_max` tokens by a tokenizer of the library `transformers`."""

    def __init__(self, tokenizer: Any, family: Family, *, length_max: int) -> None:
        self._tokenizer = tokenizer
        self._family = family
        self._length_max = length_max
        end = tokenizer.eos_token_id if family.end is None else tokenizer.convert_tokens_to_ids(family.end)
        if end is None or end == tokenizer.unk_token_id:
            raise TrainingError(
                f"the tokenizer has no token {family.end or 'eos_token'} to end an answer with", reason="ModelUnusable"
            )
        self._end: int = end
        self.cut = 0  # examples that were longer than allowed

    def encode(self, examples: Sequence[Example]) -> tuple[Encoded, ...]:
        """The examples in order. Raises DataError for one of which nothing is left to be learnt."""
        return tuple(self._encode(one, index) for index, one in enumerate(examples))

    def _encode(self, example: Example, index: int) -> Encoded:
        shown = self._shown(example)
        tokens = (*shown, *self._tokens(example.completion), self._end)
        learnt = max(1, len(shown))
        if learnt >= min(len(tokens), self._length_max):
            raise DataError(
                f"example {index}: its prompt takes {learnt} tokens and hyperparameters.maxLength is "
                f"{self._length_max}, so nothing of its completion is left to be learnt",
                reason="DataUnsuitable",
            )
        self.cut += len(tokens) > self._length_max
        return Encoded(tokens[: self._length_max], learnt)

    def _shown(self, example: Example) -> tuple[int, ...]:
        begin = self._tokenizer.bos_token_id
        opening = () if begin is None else (int(begin),)
        if example.prompt is None:
            return opening
        if self._tokenizer.chat_template:
            text = self._tokenizer.apply_chat_template(
                [{"role": "user", "content": example.prompt}], tokenize=False, add_generation_prompt=True
            )
            return self._tokens(text)  # a chat template writes its own opening
        return (*opening, *self._tokens(self._family.template.replace("{prompt}", example.prompt)))

    def _tokens(self, text: str) -> tuple[int, ...]:
        return tuple(int(one) for one in self._tokenizer.encode(text, add_special_tokens=False))
