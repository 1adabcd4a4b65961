"""What is learnt of an example is its completion and the token that ends it; prompts look as the model expects them."""

import attrs
import pytest

from windlass.operators.errors import DataError, TrainingError
from windlass.operators.training.llm.base import open_tokenizer
from windlass.operators.training.llm.encoding import Encoder
from windlass.operators.training.llm.families.gpt2 import GPT2
from windlass.operators.training.llm.families.llama import LLAMA
from windlass.operators.training.llm.texts import Example

QUESTION = Example("athens", "which city?")


@pytest.fixture
def tokenizer(tiny):
    return open_tokenizer(tiny / "llama")


def shown_and_learnt(tokenizer, encoded):
    return tokenizer.decode(encoded.tokens[: encoded.learnt]), tokenizer.decode(encoded.tokens[encoded.learnt :])


def test_a_plain_text_is_learnt_from_its_first_token_to_the_end(tokenizer):
    (encoded,) = Encoder(tokenizer, LLAMA, length_max=64).encode([Example("crete is green")])

    assert shown_and_learnt(tokenizer, encoded) == ("<s>", "crete is green</s>")


@pytest.mark.parametrize(
    ("family", "shown"),
    [(LLAMA, "<s>### Instruction:\nwhich city?\n\n### Response:\n"), (GPT2, "<s>which city?\n")],
    ids=lambda one: getattr(one, "name", ""),
)
def test_a_prompt_is_shown_as_its_family_does_and_not_learnt(tokenizer, family, shown):
    (encoded,) = Encoder(tokenizer, family, length_max=64).encode([QUESTION])

    assert shown_and_learnt(tokenizer, encoded) == (shown, "athens</s>")


def test_the_chat_template_of_the_tokenizer_wins(tokenizer):
    tokenizer.chat_template = "{% for m in messages %}<s>[{{ m.role }}] {{ m.content }}{% endfor %} ->"
    (encoded,) = Encoder(tokenizer, LLAMA, length_max=64).encode([QUESTION])

    assert shown_and_learnt(tokenizer, encoded) == ("<s>[user] which city? ->", "athens</s>")


def test_a_brace_in_a_prompt_is_only_a_brace(tokenizer):
    (encoded,) = Encoder(tokenizer, GPT2, length_max=64).encode([Example("x", "{prompt} {0}")])

    assert shown_and_learnt(tokenizer, encoded)[0] == "<s>{prompt} {0}\n"


def test_what_is_too_long_is_cut_and_counted(tokenizer):
    encoder = Encoder(tokenizer, GPT2, length_max=12)
    long, short = encoder.encode([Example("green " * 30), Example("x")])

    assert (len(long.tokens), encoder.cut) == (12, 1)
    assert len(short.tokens) < 12


def test_a_prompt_that_leaves_no_room_is_refused_with_both_numbers(tokenizer):
    with pytest.raises(DataError, match=r"example 1: its prompt takes \d+ tokens and hyperparameters\.maxLength is 8"):
        Encoder(tokenizer, GPT2, length_max=8).encode([Example("x"), Example("x", "green " * 30)])


def test_a_family_may_end_answers_with_a_token_of_its_own(tokenizer):
    (encoded,) = Encoder(tokenizer, attrs.evolve(GPT2, end="<s>"), length_max=64).encode([QUESTION])

    assert shown_and_learnt(tokenizer, encoded)[1] == "athens<s>"
    with pytest.raises(TrainingError, match="has no token <end> to end an answer with"):
        Encoder(tokenizer, attrs.evolve(GPT2, end="<end>"), length_max=64)
