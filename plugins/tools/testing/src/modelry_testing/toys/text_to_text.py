"""A tiny random T5 over bytes with its tokenizer, for tasks that turn a text into another."""

from pathlib import Path
from typing import Any

import torch

from modelry import AutoModelForSeq2SeqLM
from modelry_registry import get_registry, resolve
from modelry_testing.toys.tokenizer_files import END, PAD, vocabulary, write_tokenizer


def save_text_to_text(folder: Path, **changes: Any) -> Path:
    """Write the model and its tokenizer into `folder`.

    Args:
        changes: of the configuration, such as task_specific_params.

    Raises:
        RegistryError: the family t5 is not installed.
    """
    family, ids = get_registry().get("models", "t5"), vocabulary()
    special = {"pad_token_id": ids[PAD], "eos_token_id": ids[END], "decoder_start_token_id": ids[PAD]}
    values = {**family.tiny, "vocab_size": 264, "initializer_factor": 2.0, **special, **changes}
    config: Any = resolve(family.config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModelForSeq2SeqLM.from_config(config(**values))
    model.save_pretrained(folder)
    write_tokenizer(folder)
    return folder
