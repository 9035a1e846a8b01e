"""Padding: what stands in a padded place changes nothing, on either side. B batch   T positions"""

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor

from modelry.heads.image_text import ImageText
from modelry_testing.errors import ContractBroken
from modelry_testing.models.subject import Inputs, Subject, distance, main_output

LENGTHS = (9, 6, 3)


def positions(mask: Tensor) -> Tensor:
    """(B, T) positions that count from each row's first real token; padded places count as the first."""
    return (mask.cumsum(-1) - 1).clamp(min=0)


@torch.inference_mode()
def padding(subject: Subject, side: str) -> None:
    """Rows of different lengths give, together and padded on `side`, what each gives alone."""
    inputs = subject.inputs(len(LENGTHS), max(LENGTHS))
    if "input_ids" not in inputs:
        pytest.skip("the inputs are not ids: there is nothing to pad")
    model: Any = subject.model()
    if side == "right" and isinstance(model, ImageText) and model.text_padding == "max_length":
        pytest.skip("texts are padded to the full length, and the last position describes them, padding or not")
    if side not in model.padding_sides:
        pytest.skip(f"{type(model).__name__} declares that its texts are not padded on the {side}")
    start = first_position(model, inputs)
    alone = [main_output(model(**_cut(inputs, row, length))) for row, length in enumerate(LENGTHS)]
    for filling in (0, 1):
        ids, mask = padded(inputs["input_ids"], LENGTHS, side, filling)
        together = {**inputs, "input_ids": ids, "attention_mask": mask}
        if not subject.config().is_encoder_decoder:
            together["position_ids"] = positions(mask) + start
        output = main_output(model(**together))
        for row, expected in enumerate(alone):
            found = output[row : row + 1]
            if expected.ndim > 2 and expected.shape[1] == LENGTHS[row]:
                found = found[:, mask[row].bool()]
            elif expected.ndim > 2 and found.shape[1] > mask.shape[1]:  # a page stands behind its text
                shown = mask.new_ones(found.shape[1] - mask.shape[1])
                found = found[:, torch.cat((mask[row], shown)).bool()]
            apart = distance(found, expected)
            if not apart <= subject.tolerance:
                raise ContractBroken(
                    f"a row of {LENGTHS[row]} tokens differs when padded on the {side} with token {filling}: "
                    f"by {apart:.2g}, and {subject.tolerance:.0e} is allowed. Honour attention_mask"
                )


def first_position(model: Any, inputs: Inputs) -> int:
    """Where a model counts from, unasked: 0, or behind the row of the padding as RoBERTa does."""
    taken = inspect.signature(model.forward).parameters
    padding = model.config.get_text_config().pad_token_id
    if "position_ids" not in taken or model.config.is_encoder_decoder or not isinstance(padding, int) or padding < 0:
        return 0
    ids = inputs["input_ids"]
    unasked, from_zero = main_output(model(**inputs)), torch.arange(ids.shape[1]).expand_as(ids)
    return 0 if torch.equal(main_output(model(**{**inputs, "position_ids": from_zero})), unasked) else padding + 1


def padded(ids: Tensor, lengths: tuple[int, ...], side: str, filling: int) -> tuple[Tensor, Tensor]:
    """The first `lengths[b]` ids of each row, filled up on `side`: ids and mask, both (B, T)."""
    filled = torch.full_like(ids, filling)
    mask = torch.zeros_like(ids)
    for row, length in enumerate(lengths):
        place = slice(0, length) if side == "right" else slice(ids.shape[1] - length, None)
        filled[row, place] = ids[row, :length]
        mask[row, place] = 1
    return filled, mask


def _cut(inputs: Inputs, row: int, length: int) -> Inputs:
    one = {key: value[row : row + 1] for key, value in inputs.items()}
    one["input_ids"] = one["input_ids"][:, :length]
    return one
