"""Tiny models with random weights, of the sizes that the tests of all neighbours share."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from modelry import AutoConfig, auto

REFERENCE = "folder-or-org/repo"
"""What the document calls a checkpoint."""
TURN = "{% for one in messages %}<s>{{one.role}}:{{one.content}}</s>{% endfor %}"

TEXT = {
    "vocab_size": 96,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "initializer_range": 0.2,
}
SPEECH = {
    "vocab_size": 96,
    "d_model": 64,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 96,
    "decoder_ffn_dim": 96,
    "max_source_positions": 20,
    "max_target_positions": 16,
    "num_mel_bins": 8,
    "decoder_start_token_id": 1,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
SIZES: dict[str, dict[str, Any]] = {
    "llama": {**TEXT, "num_key_value_heads": 2},
    "bert": TEXT,
    "vit": {**{key: value for key, value in TEXT.items() if key != "vocab_size"}, "image_size": 32, "patch_size": 8},
    "whisper": SPEECH,
    "clip": {
        "vision_config": {
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 32,
            "patch_size": 8,
        }
    },
    "resnet": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"},
    "t5": {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 1, "num_heads": 4, "vocab_size": 96},
}


@pytest.fixture(scope="session")
def tiny() -> Callable[..., Any]:
    """A function: head ("ForCausalLM" or "" for the bare model), model_type, values of the configuration -> a model."""

    def make(head: str, model_type: str, **more: Any) -> Any:
        torch.manual_seed(0)
        config = AutoConfig.for_model(model_type, **{**SIZES[model_type], **more})
        return getattr(auto, f"AutoModel{head}").from_config(config).eval()

    return make


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, tiny: Callable[..., Any]) -> Path:
    """A saved Llama with a tokenizer of bytes that knows chats."""
    folder = tmp_path_factory.mktemp("llama")
    letters = ["<s>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE(vocab={letter: number for number, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<s>", "</s>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    tokens = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>", "chat_template": TURN}
    said = {"tokenizer_class": "PreTrainedTokenizerFast", **tokens}
    (folder / "tokenizer_config.json").write_text(json.dumps(said))
    sizes = {"vocab_size": 258, "num_hidden_layers": 1, "bos_token_id": 0, "eos_token_id": 1}
    tiny("ForCausalLM", "llama", **sizes).save_pretrained(folder)
    return folder


@pytest.fixture
def documented(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[str, Path], dict[str, Any]]:
    """A function: heading of docs/neighbours.md, a checkpoint -> the names that the examples under it have made."""

    def run(heading: str, folder: Path) -> dict[str, Any]:
        monkeypatch.chdir(tmp_path)
        text = (repository / "docs" / "neighbours.md").read_text(encoding="utf-8")
        (section,) = re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
        examples = re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
        assert examples, f"there is no example under {heading!r}"
        names: dict[str, Any] = {"__name__": "example"}
        for example in examples:
            exec(compile(example.replace(REFERENCE, str(folder)), heading, "exec"), names)
        return names

    return run
