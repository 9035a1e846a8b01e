"""A tiny text encoder with its tokenizer, for tasks whose heads the toy does not have: BERT by name, if it is there."""

from pathlib import Path
from typing import Any

import torch

from modelry import PreTrainedModel
from modelry_registry import get_registry, resolve
from modelry_testing.toys.word_pieces import pieces, write_word_pieces

FAMILY = "bert"
LONGEST = 64


def save_encoder(folder: Path, head: str, *, seed: int = 0, **values: Any) -> Path:
    """Write a random encoder with a head, and its tokenizer, into `folder`.

    Args:
        values: of the configuration, in place of the tiny ones.

    Raises:
        RegistryError: the family is not installed.
    """
    from modelry_testing.models.subject import told_apart

    family = get_registry().get("models", FAMILY)
    config_class: Any = resolve(family.config)
    head_class: Any = resolve(family.heads[head])
    sizes = {**family.tiny, "vocab_size": len(pieces()), "max_position_embeddings": LONGEST}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: PreTrainedModel = told_apart(head_class.from_config(config_class(**{**sizes, **values})), seed=seed)
    model.save_pretrained(folder)
    write_word_pieces(folder, longest=LONGEST)
    return folder
