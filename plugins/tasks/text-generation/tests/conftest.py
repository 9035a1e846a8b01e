"""A tiny random Llama and a tokenizer trained on a few lines, in a folder, with a chat template."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from modelry import AutoModelForCausalLM, pipeline
from modelry.pipelines import Pipeline
from modelry_registry import get_registry, resolve

CONTEXT = 64
TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
TEXT = ["the quick brown fox jumps over the lazy dog", "a longer line about nothing at all, 1234 5678!", "héllo wörld"]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """config.json, model.safetensors, tokenizer.json, tokenizer_config.json."""
    path = tmp_path_factory.mktemp("tiny-llama")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    special = ["<|end|>", "<|user|>", "<|assistant|>", "<|system|>"]
    tokenizer.train_from_iterator(
        TEXT,
        trainers.BpeTrainer(
            vocab_size=300,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer.save(str(path / "tokenizer.json"))
    settings = {"eos_token": "<|end|>", "pad_token": "<|end|>", "chat_template": TEMPLATE, "model_max_length": CONTEXT}
    (path / "tokenizer_config.json").write_text(json.dumps(settings))
    torch.manual_seed(0)
    values: dict[str, Any] = {
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": CONTEXT,
        "initializer_range": 0.3,
        "eos_token_id": 0,
        "bos_token_id": None,
        "pad_token_id": 0,
    }
    config: Any = resolve(get_registry().get("models", "llama").config)
    AutoModelForCausalLM.from_config(config(**values)).save_pretrained(path)
    return path


@pytest.fixture(scope="session")
def pipe(folder: Path) -> Pipeline[Any]:
    """Greedy, eight new tokens, whatever they are."""
    return pipeline("text-generation", model=folder, device="cpu", do_sample=False, max_new_tokens=8, min_new_tokens=8)
