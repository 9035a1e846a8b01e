"""A packed model takes a larger vocabulary where its output layer is not packed, and refuses it where it is."""

from pathlib import Path
from typing import Any

import torch

from modelry import AutoModelForCausalLM
from modelry.errors import QuantizationError
from modelry_testing.errors import ContractBroken

MORE = 4


def vocabulary_grows(folder: Path, out: Path, *, scheme: dict[str, Any]) -> None:
    """A few more tokens are computed with, and survive being saved into `out`; a packed lm_head names itself.

    Args:
        folder: a float checkpoint.
        scheme: quantization_config of a scheme that has `modules_to_not_convert`.

    Raises:
        ContractBroken: one of this does not hold.
    """
    model = AutoModelForCausalLM.from_pretrained(folder, quantization=scheme)
    rows: Any = model.get_input_embeddings().weight
    size = len(rows) + MORE
    model.resize_token_embeddings(size)
    model.save_pretrained(out)
    logits = AutoModelForCausalLM.from_pretrained(out)(torch.tensor([[1, size - 1]])).logits
    if logits.shape != (1, 2, size):
        raise ContractBroken(f"with {size} tokens logits are {tuple(logits.shape)}")
    packed = AutoModelForCausalLM.from_pretrained(folder, quantization={**scheme, "modules_to_not_convert": []})
    try:
        packed.resize_token_embeddings(size)
    except QuantizationError as error:
        if "lm_head is a packed" not in str(error):
            raise ContractBroken(f"a packed lm_head is refused without being named: {error}") from error
    else:
        raise ContractBroken("a packed lm_head is resized")
