"""tokenizer_config.json, chat templates, added tokens; lists that contradict each other."""

import json
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from modelry.errors import CheckpointError
from modelry_gguf.facts import Facts
from modelry_gguf.tokenizer_files import tokenizer_files


def files_of(values: dict[str, Any], **changes: Any) -> dict[str, str]:
    values = values | {f"tokenizer.ggml.{key}": value for key, value in changes.items()}
    values = {key: value for key, value in values.items() if value is not None}
    for key in ("tokenizer.ggml.token_type", "tokenizer.ggml.scores"):
        if isinstance(values.get(key), list):
            values[key] = np.array(values[key])
    files = tokenizer_files(Facts(values, "a file"))
    assert files is not None
    return dict(files)


def test_config_and_template(byte_level_tokenizer: dict[str, Any]) -> None:
    facts = {"general.architecture": "llama", "llama.context_length": 77}
    files = files_of(byte_level_tokenizer | facts, add_bos_token=True)
    assert json.loads(files["tokenizer_config.json"]) == {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "add_bos_token": True,
        "add_eos_token": False,
        "add_prefix_space": False,
        "model_max_length": 77,
        "bos_token": "<|start|>",
        "eos_token": "<|end|>",
        "pad_token": "<|end|>",
    }
    assert files["chat_template.jinja"] == byte_level_tokenizer["tokenizer.chat_template"]
    tokenizer = Tokenizer.from_str(files["tokenizer.json"])
    assert tokenizer.encode("", "").ids == [1, 1]
    added = {index: token.special for index, token in tokenizer.get_added_tokens_decoder().items()}
    assert added == {0: True, 1: True, 2: False}


def test_several_templates(byte_level_tokenizer: dict[str, Any]) -> None:
    named = {"tokenizer.chat_templates": ["tool_use"], "tokenizer.chat_template.tool_use": "tools"}
    files = files_of(byte_level_tokenizer | named)
    assert json.loads(files["tokenizer_config.json"])["chat_template"] == [
        {"name": "default", "template": byte_level_tokenizer["tokenizer.chat_template"]},
        {"name": "tool_use", "template": "tools"},
    ]
    assert "chat_template.jinja" not in files


def test_llama3_adds_its_beginning_unless_told_otherwise(byte_level_tokenizer: dict[str, Any]) -> None:
    default = Tokenizer.from_str(files_of(byte_level_tokenizer, pre="llama-bpe")["tokenizer.json"])
    told = Tokenizer.from_str(files_of(byte_level_tokenizer, pre="llama-bpe", add_bos_token=False)["tokenizer.json"])
    assert default.encode("").ids == [1]
    assert told.encode("").ids == []


def test_no_tokenizer() -> None:
    assert tokenizer_files(Facts({}, "a file")) is None
    assert tokenizer_files(Facts({"tokenizer.ggml.model": "none"}, "a file")) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": "rwkv"}, "'rwkv'; this reader knows"),
        ({"pre": "unheard-of"}, "'unheard-of', which this reader does not know"),
        ({"tokens": None}, "has no tokenizer.ggml.tokens"),
        ({"tokens": [1, 2]}, "must be a list of strings"),
        ({"tokens": ["a", "b", "a"], "token_type": None}, "'a' comes twice"),
        ({"tokens": ["x" * 5000], "token_type": None}, "5,000 characters"),
        ({"token_type": [1]}, "has 1 numbers, expected 320"),
        ({"merges": None}, r"no tokenizer\.ggml\.merges"),
        ({"merges": ["nowhere here"]}, "'nowhere here' is not of two tokens"),
        ({"eos_token_id": 320}, "eos_token_id is 320; there are 320 tokens"),
        ({"add_bos_token": "yes"}, "must be true or false"),
    ],
)
def test_contradictions(byte_level_tokenizer: dict[str, Any], changes: dict[str, Any], words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        files_of(byte_level_tokenizer, **changes)


def test_an_absent_token_is_not_an_id(byte_level_tokenizer: dict[str, Any]) -> None:
    config = json.loads(files_of(byte_level_tokenizer, padding_token_id=0xFFFFFFFF)["tokenizer_config.json"])
    assert "pad_token" not in config
