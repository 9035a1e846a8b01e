"""Faster ways that the kernel takes with a family, and that must say what its own forward says.

B batch   T positions   V vocabulary
"""

from typing import Any

import pytest
import torch
from torch import Tensor

from modelry import PreTrainedModel
from modelry.generation.packing import read_packed
from modelry.generation.prompt import Prompt
from modelry.inference import prepared_step
from modelry_testing.errors import ContractBroken
from modelry_testing.models.caching import ANSWERING, generative
from modelry_testing.models.padding import padded, positions
from modelry_testing.models.subject import Subject, same

LENGTHS = (5, 7, 2)
STEPS = (1, 1, 1, 2, 1)
"""New positions of each."""
MISTAKEN = (
    "the kernel takes this decoder for one whose parts it knows, and its forward does something else: give what "
    "differs a module of its own, or a class of its own to the part that it changes"
)


@torch.inference_mode()
def packed(subject: Subject) -> None:
    """Texts that lie one behind the other in one row are read as each is alone, and go on from there."""
    model = generative(subject)
    if not (isinstance(model.base_model, PreTrainedModel) and model.base_model.reads_packed):
        pytest.skip("the family does not claim it: its base model has no `reads_packed = True`")
    ids, prompt, mask, new = _texts(subject)
    cache = model.make_cache()
    output, order = read_packed(model, Prompt(prompt, mask), LENGTHS, cache, chunk=None)
    after = torch.cat([mask, torch.ones_like(new)], dim=1)
    step = model(
        input_ids=new[order], attention_mask=after[order], position_ids=positions(after)[order, -1:],
        past_key_values=cache, use_cache=True,
    )  # fmt: skip
    for place, row in enumerate(order):
        expected = model(input_ids=ids[row : row + 1, : LENGTHS[row] + 1]).logits
        what = f"a text of {LENGTHS[row]} tokens read in one row with others (reads_packed)"
        same(output.logits[place : place + 1], expected[:, -2:-1], tolerance=subject.tolerance, what=what)
        what = f"the token after a text of {LENGTHS[row]} that was read in one row with others (reads_packed)"
        same(step.logits[place : place + 1], expected[:, -1:], tolerance=subject.tolerance, what=what)


@torch.inference_mode()
def prepared(subject: Subject) -> None:
    """Where the kernel knows all parts of the decoder, its step over buffers says what forward says."""
    model = generative(subject)
    step = prepared_step(model)
    if step is None:
        pytest.skip("the kernel does not know all parts of this decoder, and calls its forward")
    ids, prompt, mask, _ = _texts(subject)
    cache, other = model.make_cache(), model.make_cache()
    for one in (cache, other):
        model(input_ids=prompt, attention_mask=mask, position_ids=positions(mask), past_key_values=one, use_cache=True)
    for number, count in enumerate(STEPS):
        new = ids[:, number : number + count]
        mask = torch.cat([mask, torch.ones_like(new)], dim=1)
        where = positions(mask)[:, -count:]
        given: dict[str, Any] = {"input_ids": new, "attention_mask": mask, "position_ids": where, "use_cache": True}
        expected = model(past_key_values=other, **given)
        calls: list[int] = []

        def forward(given: dict[str, Any] = given, calls: list[int] = calls) -> object:
            calls.append(1)
            return model(past_key_values=cache, **given)

        found = step(new, where, mask, cache, forward)
        if number and calls:
            raise ContractBroken(MISTAKEN)
        same(found.logits, expected.logits, tolerance=10 * subject.tolerance, what=f"prepared step {number}")


@torch.inference_mode()
def prepared_answer(subject: Subject) -> None:
    """The same of a decoder that looks at an encoder's output; nothing where the kernel does not know its parts."""
    head = next((one for one in ANSWERING if one in subject.family.heads), None)
    if head is None:
        return
    inputs: dict[str, Any] = dict(subject.inputs(3, 9, head=head))
    model, ids = subject.model(head), inputs.pop("decoder_input_ids")
    step = prepared_step(model)
    if step is None:
        return
    whole, cache = model(**inputs, decoder_input_ids=ids), model.make_cache()
    encoded, mask = (whole.encoder_last_hidden_state,), inputs.get("attention_mask")
    given: dict[str, Any] = {"past_key_values": cache, "use_cache": True}
    model(**inputs, decoder_input_ids=ids[:, :1], **given)
    for place in range(1, ids.shape[1]):
        new, calls = ids[:, place : place + 1], list[int]()

        def forward(new: Tensor = new, calls: list[int] = calls) -> object:
            calls.append(1)
            return model(encoder_outputs=encoded, attention_mask=mask, decoder_input_ids=new, **given)

        found = step(new, torch.tensor([[place]]), mask, cache, forward)
        if place > 1 and calls:
            raise ContractBroken(MISTAKEN)
        expected, what = whole.logits[:, place : place + 1], f"prepared step {place} of an answer"
        same(found.logits, expected, tolerance=10 * subject.tolerance, what=what)


def _texts(subject: Subject) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Ids (B, T), the same padded on the left, their mask, and the id (B, 1) that follows each text."""
    inputs = subject.inputs(len(LENGTHS), max(LENGTHS) + 1, head="causal-lm")
    if set(inputs) != {"input_ids"}:
        pytest.skip("the model needs more than a prompt")
    ids = inputs["input_ids"]
    prompt, mask = padded(ids[:, : max(LENGTHS)], LENGTHS, "left", 0)
    return ids, prompt, mask, ids.gather(1, torch.tensor(LENGTHS)[:, None])
