"""Tokenizers that have a form in a GGUF file, and those that have none. The way back is tested with whole files."""

from typing import Any

import pytest
from tokenizers import Tokenizer as Backend
from tokenizers import models, pre_tokenizers

from modelry.errors import CheckpointError
from modelry.preprocessing.tokenizer import Tokenizer
from modelry_gguf.tokenizer_facts import tokenizer_facts

VOCABULARY = {token: index for index, token in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}


def byte_level(cuts: Any = None, **settings: Any) -> Tokenizer:
    backend = Backend(models.BPE(vocab={**VOCABULARY, "ab": 256}, merges=[("a", "b")]))
    backend.pre_tokenizer = cuts or pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.add_special_tokens(["<s>"])
    return Tokenizer(backend, bos_token="<s>", **settings)


@pytest.mark.parametrize("begins", [True, False])
def test_byte_level(begins: bool) -> None:
    facts = tokenizer_facts(byte_level(add_bos_token=begins), vocabulary_size=260)
    assert facts["tokenizer.ggml.model"] == "gpt2"
    assert facts["tokenizer.ggml.pre"] == "gpt-2"
    assert facts["tokenizer.ggml.merges"] == ["a b"]
    assert facts["tokenizer.ggml.tokens"][255:] == [max(VOCABULARY), "ab", "<s>", "[PAD258]", "[PAD259]"]
    assert list(facts["tokenizer.ggml.token_type"])[255:] == [1, 1, 3, 5, 5]
    assert facts["tokenizer.ggml.bos_token_id"] == 257
    assert facts["tokenizer.ggml.add_bos_token"] is begins
    assert facts["tokenizer.ggml.add_eos_token"] is False
    assert "tokenizer.ggml.eos_token_id" not in facts


def test_named_chat_templates() -> None:
    tokenizer = byte_level(chat_template={"default": "plain", "tool_use": "with tools"})
    facts = tokenizer_facts(tokenizer, vocabulary_size=258)
    assert facts["tokenizer.chat_template"] == "plain"
    assert facts["tokenizer.chat_templates"] == ["tool_use"]
    assert facts["tokenizer.chat_template.tool_use"] == "with tools"


def test_tokenizers_without_a_form() -> None:
    words = Backend(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]"))
    with pytest.raises(CheckpointError, match="type 'WordLevel' has no GGUF form"):
        tokenizer_facts(Tokenizer(words), vocabulary_size=2)
    with pytest.raises(CheckpointError, match="has token 257; the model has 257 embeddings"):
        tokenizer_facts(byte_level(), vocabulary_size=257)
    with pytest.raises(CheckpointError, match=r"cuts text by .*Whitespace.* has no name in GGUF"):
        tokenizer_facts(byte_level(pre_tokenizers.Whitespace()), vocabulary_size=258)
