"""Generation: the session drives the model to the tokens that the full forward pass says are most likely."""

import pytest
import torch

from modelry_registry import get_registry
from modelry_testing.errors import ContractBroken
from modelry_testing.models.caching import generative
from modelry_testing.models.padding import padded
from modelry_testing.models.subject import Subject

LENGTHS, NEW = (6, 3), 5


@torch.inference_mode()
def greedy(subject: Subject) -> None:
    """A batch padded on the left continues each row as full forward passes do."""
    model = generative(subject)
    if "sampling" not in get_registry().names("decoders"):
        pytest.skip("no decoder called 'sampling' is installed: pip install modelry-plugin-sampling")
    inputs = subject.inputs(len(LENGTHS), max(LENGTHS), head="causal-lm")
    if set(inputs) != {"input_ids"}:
        pytest.skip("the model needs more than a prompt")
    ids, mask = padded(inputs["input_ids"], LENGTHS, "left", 0)
    found = model.generate(
        ids, attention_mask=mask, do_sample=False, max_new_tokens=NEW, eos_token_id=None, pad_token_id=0
    )
    for row, length in enumerate(LENGTHS):
        alone = inputs["input_ids"][row : row + 1, :length]
        for _ in range(NEW):
            alone = torch.cat([alone, model(input_ids=alone).logits[:, -1:].argmax(-1)], dim=1)
        if found[row, -NEW:].tolist() != alone[0, -NEW:].tolist():
            raise ContractBroken(
                f"generate continues row {row} with {found[row, -NEW:].tolist()}, "
                f"and the most likely tokens are {alone[0, -NEW:].tolist()}"
            )
