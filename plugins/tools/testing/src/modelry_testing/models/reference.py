"""The independent implementation: the same folder, read by somebody else's code, gives the same numbers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from modelry_registry import resolve
from modelry_testing.models.padding import padded
from modelry_testing.models.subject import Subject, main_output, same

LENGTHS = (9, 5)
Reference = Callable[..., Any]


def loaded(reference: str, folder: Path) -> Reference:
    """The model of `folder`, built by the class that "module:Name" names, in float32 and eval mode."""
    made = resolve(reference).from_pretrained(folder)  # type: ignore[attr-defined]  # somebody else's class
    model: Reference = made.float().eval()
    return model


@torch.inference_mode()
def agrees(subject: Subject, reference: Reference) -> None:
    """Full rows and a batch padded on the right give what the reference gives."""
    model, inputs = subject.model(), subject.inputs(len(LENGTHS), max(LENGTHS))
    _compare(subject, main_output(model(**inputs)), main_output(reference(**inputs)), "full rows")
    if "input_ids" in inputs and not subject.config().is_encoder_decoder:
        ids, mask = padded(inputs["input_ids"], LENGTHS, "right", 0)
        rows = {**inputs, "input_ids": ids, "attention_mask": mask}
        found, expected = main_output(model(**rows)), main_output(reference(**rows))
        if found.ndim == 3:
            found, expected = found[mask.bool()], expected[mask.bool()]
        _compare(subject, found, expected, "rows padded on the right")


def _compare(subject: Subject, found: Tensor, expected: Tensor, what: str) -> None:
    same(found, expected.float(), tolerance=subject.tolerance, what=f"{what} against the independent implementation")
