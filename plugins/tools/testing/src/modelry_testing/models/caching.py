"""The cache: prefill then decode equals the full forward, whatever is kept, repeated or forgotten on the way.

The calls are those of the generation session: positions and masks are given, and a mask only where something is padded.
"""

from typing import Any

import pytest
import torch
from torch import Tensor

from modelry import PreTrainedModel
from modelry_testing.errors import ContractBroken
from modelry_testing.models.padding import padded, positions
from modelry_testing.models.subject import Subject, same

PROMPT, CHUNKS = 5, (5, 1, 1, 3, 1)
LENGTHS = (7, 4)


def generative(subject: Subject) -> PreTrainedModel:
    """The model that caches, or a skip where the family has none."""
    if "causal-lm" not in subject.family.heads:
        pytest.skip("the family has no causal-lm head: it does not decode step by step")
    model = subject.model("causal-lm")
    config = model.config
    if "is_decoder" in type(config).model_fields and not config.is_decoder:
        pytest.skip("the configuration is an encoder's: give another test class `tiny` with is_decoder")
    return model


def step(model: PreTrainedModel, ids: Tensor, cache: Any, *, mask: Tensor | None = None, **rest: Tensor) -> Tensor:
    """One call as the session makes it: (B, T) new ids to (B, T, V) logits; `mask` (B, S) covers cached places too."""
    seen = cache.get_seq_length()
    counted = torch.arange(seen, seen + ids.shape[1]).expand(ids.shape)
    where = counted if mask is None else positions(mask)[:, seen:]
    output = model(
        input_ids=ids, attention_mask=mask, position_ids=where, past_key_values=cache, use_cache=True, **rest
    )
    if cache.get_seq_length() != seen + ids.shape[1]:
        raise ContractBroken(
            f"after {ids.shape[1]} new positions the cache says it holds {cache.get_seq_length()}, "
            f"and should say {seen + ids.shape[1]}"
        )
    logits: Tensor = output.logits
    return logits


@torch.inference_mode()
def decoding(subject: Subject) -> None:
    """Chunks through the cache give the logits of one full forward."""
    model = generative(subject)
    inputs = subject.inputs(2, sum(CHUNKS), head="causal-lm")
    ids = inputs.pop("input_ids")
    expected = model(input_ids=ids, **inputs).logits
    cache, found = model.make_cache(), []
    for number, chunk in enumerate(ids.split(list(CHUNKS), dim=1)):
        found.append(step(model, chunk, cache, **(inputs if number == 0 else {})))
    start = 0
    for part in found:
        what = f"positions {start} to {start + part.shape[1] - 1} through the cache against the full forward"
        same(part, expected[:, start : start + part.shape[1]], tolerance=subject.tolerance, what=what)
        start += part.shape[1]


@torch.inference_mode()
def padded_decoding(subject: Subject) -> None:
    """A batch padded on the left decodes like its rows alone."""
    model = generative(subject)
    inputs = subject.inputs(len(LENGTHS), max(LENGTHS) + 3, head="causal-lm")
    ids = inputs.pop("input_ids")
    prompt, mask = padded(ids[:, : max(LENGTHS)], LENGTHS, "left", 0)
    new = ids[:, max(LENGTHS) :]
    cache = model.make_cache()
    found = [step(model, prompt, cache, mask=mask, **inputs)[:, -1:]]
    for column in new.split(1, dim=1):
        mask = torch.cat([mask, torch.ones_like(column)], dim=1)
        found.append(step(model, column, cache, mask=mask))
    for row, length in enumerate(LENGTHS):
        alone = torch.cat([ids[row, :length], new[row]])[None]
        rest = {key: value[row : row + 1] for key, value in inputs.items()}
        expected = model(input_ids=alone, **rest).logits[:, length - 1 :]
        what = f"decoding a row padded by {max(LENGTHS) - length}"
        same(torch.cat(found, dim=1)[row : row + 1], expected, tolerance=subject.tolerance, what=what)


@torch.inference_mode()
def keeping(subject: Subject) -> None:
    """`keep` repeats, drops and reorders rows, as beams ask."""
    model = generative(subject)
    inputs = subject.inputs(3, PROMPT + 2, head="causal-lm")
    ids = inputs.pop("input_ids")
    cache = model.make_cache()
    step(model, ids[:, :PROMPT], cache, **inputs)
    rows = torch.tensor([2, 0, 0, 2])
    cache.keep(rows)
    expected = model(input_ids=ids[rows], **{key: value[rows] for key, value in inputs.items()}).logits
    found = step(model, ids[rows, PROMPT:], cache)
    same(found, expected[:, PROMPT:], tolerance=subject.tolerance, what=f"after keep({rows.tolist()})")


@torch.inference_mode()
def rolling_back(subject: Subject) -> None:
    """`rollback` forgets the last positions, as speculation asks."""
    model = generative(subject)
    inputs = subject.inputs(2, PROMPT + 4, head="causal-lm")
    ids = inputs.pop("input_ids")
    cache = model.make_cache()
    if not cache.can_rollback:
        pytest.skip("the cache says that it cannot roll back")
    step(model, ids[:, :PROMPT], cache, **inputs)
    step(model, ids[:, :3], cache)
    cache.rollback(3)
    if cache.get_seq_length() != PROMPT:
        raise ContractBroken(f"after rollback the cache says it holds {cache.get_seq_length()}, not {PROMPT}")
    expected = model(input_ids=ids, **inputs).logits[:, PROMPT:]
    same(step(model, ids[:, PROMPT:], cache), expected, tolerance=subject.tolerance, what="after rollback(3)")


@torch.inference_mode()
def answering(subject: Subject) -> None:
    """The decoder of an encoder-decoder steps through its cache as in one pass, whichever rows are kept on the way."""
    head = next((one for one in ANSWERING if one in subject.family.heads), None)
    if head is None or not subject.config().is_encoder_decoder:
        pytest.skip("the family has no head that answers an encoder's input")
    model, inputs = subject.model(head), subject.inputs(3, 9, head=head)
    ids = inputs.pop("decoder_input_ids")
    if ids.shape[1] < PROMPT:
        pytest.skip(f"the inputs have {ids.shape[1]} decoder_input_ids, and {PROMPT} or more are needed")
    rows = torch.tensor([2, 0, 0, 1])
    cache, first = model.make_cache(), model(**inputs, decoder_input_ids=ids)
    encoded = first.encoder_last_hidden_state
    found = model(**inputs, decoder_input_ids=ids[:, :2], past_key_values=cache, use_cache=True).logits
    same(found, first.logits[:, :2], tolerance=subject.tolerance, what="the begin of an answer through a cache")
    cache.keep(rows)
    mask: dict[str, Any] = {name: value[rows] for name, value in inputs.items() if name == "attention_mask"}
    start = 2
    for new in ids[rows, 2:].split(2, dim=1):
        output = model(
            encoder_outputs=(encoded[rows],), decoder_input_ids=new, past_key_values=cache, use_cache=True, **mask
        )
        expected = first.logits[rows, start : start + new.shape[1]]
        what = f"positions from {start} of an answer, after keep({rows.tolist()})"
        same(output.logits, expected, tolerance=subject.tolerance, what=what)
        start += new.shape[1]


ANSWERING = ("seq2seq-lm", "speech-seq2seq", "image-text-to-text")
"""Heads of encoder-decoders that write."""
