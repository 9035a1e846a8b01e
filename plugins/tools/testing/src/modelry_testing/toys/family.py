"""The toy as a family: its declaration, a registry that knows it, and folders to load it from."""

from pathlib import Path
from typing import Any

import torch

from modelry import PreTrainedModel
from modelry_registry import ModelFamily, Registry, resolve
from modelry_testing.toys.configuration import ToyConfig
from modelry_testing.toys.tokenizer_files import END, PAD, START, vocabulary, write_tokenizer

NEW_TOKENS = 12
_MODELING = "modelry_testing.toys.modeling"
TOY = ModelFamily(
    model_type="modelry-toy",
    config="modelry_testing.toys.configuration:ToyConfig",
    heads={
        "base": f"{_MODELING}:ToyModel",
        "causal-lm": f"{_MODELING}:ToyForCausalLM",
        "sequence-classification": f"{_MODELING}:ToyForSequenceClassification",
        "token-classification": f"{_MODELING}:ToyForTokenClassification",
        "question-answering": f"{_MODELING}:ToyForQuestionAnswering",
    },
    preprocessors={"tokenizer": "modelry.preprocessing.tokenizer:Tokenizer"},
    tiny={"vocab_size": 264, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4},
)


def with_toy(registry: Registry) -> Registry:
    """The same registry, and the toy in it."""
    return registry.extended(TOY, distribution="modelry-toy")


def toy_model(head: str = "causal-lm", *, seed: int = 0, **values: Any) -> PreTrainedModel:
    """A toy with random weights in eval mode; call it inside `use_registry(with_toy(...))`."""
    ids = vocabulary()
    special = {"bos_token_id": ids[START], "eos_token_id": ids[END], "pad_token_id": ids[PAD]}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head_class = resolve(TOY.heads[head])
        assert isinstance(head_class, type)
        assert issubclass(head_class, PreTrainedModel)
        return head_class.from_config(ToyConfig(**{**TOY.tiny, **special, **values})).eval()


def save_toy(folder: Path, head: str = "causal-lm", **values: Any) -> Path:
    """Write a toy and its tokenizer into `folder`. It says NEW_TOKENS tokens unless it is told otherwise."""
    from modelry_testing.models.subject import told_apart

    model = told_apart(toy_model(head, **values))
    model.generation_config.max_new_tokens = NEW_TOKENS
    model.save_pretrained(folder)
    write_tokenizer(folder)
    return folder
