"""Language models of a few thousand weights, with a tokenizer taught on our own text.

One folder for each family: `gpt2` and `llama` come with Windlass, `mistral` is the plugin of the how-to.
"""

import os
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
)

FAMILIES = ("gpt2", "llama", "mistral")
WORDS = 320
TEXT = [f"the capital of {a} is {b} and {a} is green" for a in ("aland", "borneo", "crete") for b in ("x", "y", "zed")]


def tokenizer():
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    taught = trainers.BpeTrainer(
        vocab_size=WORDS,
        special_tokens=["<s>", "</s>", "<unk>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(TEXT, taught)
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def model(family, vocabulary):
    torch.manual_seed(7)
    shape = {"vocab_size": vocabulary, "bos_token_id": 0, "eos_token_id": 1, "initializer_range": 0.4}
    if family == "gpt2":
        return GPT2LMHeadModel(GPT2Config(n_positions=64, n_embd=16, n_layer=2, n_head=2, **shape))
    shape |= {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    shape |= {"num_key_value_heads": 1, "max_position_embeddings": 64}
    if family == "llama":
        return LlamaForCausalLM(LlamaConfig(**shape))
    return MistralForCausalLM(MistralConfig(sliding_window=None, **shape))


def make(folder):
    words = tokenizer()
    for family in FAMILIES:
        model(family, len(words)).save_pretrained(Path(folder) / family)
        words.save_pretrained(Path(folder) / family)
