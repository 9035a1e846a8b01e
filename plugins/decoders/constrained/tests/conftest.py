"""A tiny llama with random weights, and a tokenizer of bytes."""

import warnings

import pytest
import torch

from modelry import AutoModelForCausalLM
from modelry.preprocessing import Tokenizer
from modelry_registry import get_registry, resolve
from modelry_testing.toys.tokenizer_files import END, PAD, vocabulary, write_tokenizer


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(folder)
    return Tokenizer.from_pretrained(folder)


@pytest.fixture(scope="session")
def model():
    family = get_registry().get("models", "llama")
    config = resolve(family.config)(
        vocab_size=264, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=512, eos_token_id=vocabulary()[END],
        pad_token_id=vocabulary()[PAD],
    )  # fmt: skip
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config).eval()


@pytest.fixture
def answers(model, tokenizer):
    """Generate, and give the new texts (without the end token) and whether each row has ended by itself."""

    def run(prompts=("say:",), *, count=None, tokens=300, **options):
        batch = tokenizer(list(prompts), padding=True, padding_side="left", return_tensors="pt")
        options = {"strategy": "constrained", "tokenizer": tokenizer, "max_new_tokens": tokens, **options}
        if count:
            options = {"do_sample": True, "num_return_sequences": count, "seed": 0, "top_k": 0, **options}
        found = model.generate(**batch, **options)
        new = found[:, batch["input_ids"].shape[1] :]
        return [tokenizer.decode(row.tolist(), skip_special_tokens=True) for row in new], [
            vocabulary()[END] in row for row in new.tolist()
        ]

    return run


@pytest.fixture
def whole(answers):
    """Generate; only answers that are whole count, and cut ones are allowed."""

    def run(*arguments, **options):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*answers end before.*")
            texts, ended = answers(*arguments, **options)
        return [text for text, is_whole in zip(texts, ended, strict=True) if is_whole]

    return run
