"""A tiny random T5 over bytes, in a folder, with the task_specific_params of the first T5."""

from pathlib import Path
from typing import Any

import pytest
import torch

from modelry import AutoModelForSeq2SeqLM
from modelry_registry import get_registry, resolve
from modelry_testing.toys.tokenizer_files import END, PAD, vocabulary, write_tokenizer


@pytest.fixture(scope="session")
def save_t5() -> Any:
    """A function: folder, changes of the configuration -> the folder with a model and its tokenizer."""

    def save(folder: Path, **changes: Any) -> Path:
        family, ids = get_registry().get("models", "t5"), vocabulary()
        special = {"pad_token_id": ids[PAD], "eos_token_id": ids[END], "decoder_start_token_id": ids[PAD]}
        values = {**family.tiny, "vocab_size": 264, "initializer_factor": 2.0, **special, **changes}
        config: Any = resolve(family.config)
        torch.manual_seed(0)
        AutoModelForSeq2SeqLM.from_config(config(**values)).save_pretrained(folder)
        write_tokenizer(folder)
        return folder

    return save
