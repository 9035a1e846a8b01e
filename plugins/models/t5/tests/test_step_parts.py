"""Prepared steps of T5 give the model's own logits: relative positions, no scale, gates; what is not known is left."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from modelry.inference import prepared_step
from modelry.inference.answer_parts import answer_parts
from modelry.inference.answer_step import AnswerStep
from modelry.nn.fuse import fuse_projections
from modelry.outputs import BaseModelOutput
from modelry_registry import get_registry
from modelry_t5 import T5Config, T5ForConditionalGeneration

STEPS = 70
"""The cache grows under way, and the buckets of far positions are reached."""


def model(**changes: Any) -> Any:
    torch.manual_seed(0)
    values: dict[str, Any] = {**get_registry().get("models", "t5").tiny, "d_kv": 12, **changes}
    made = T5ForConditionalGeneration(T5Config(**values)).eval()
    for name, parameter in made.named_parameters():
        nn.init.normal_(parameter, mean=0.5 * ("norm" in name), std=0.2)
    return made


@torch.inference_mode()
def logits(made: Any, *, prepared: bool, rows: int) -> Tensor:
    draws = torch.Generator().manual_seed(1)
    ids = torch.randint(2, 40, (rows, STEPS), generator=draws)
    encoded = torch.randn(rows, 9, made.config.d_model, generator=draws).to(made.dtype)
    mask = (torch.arange(9) < torch.tensor([[9]] * (rows - 1) + [[5]])).long()
    parts, cache, found = answer_parts(made), made.make_cache(), []
    assert parts is not None
    step = AnswerStep(parts, rows=rows)
    for place in range(STEPS):
        new = ids[:, place, None]
        scores = step(new, torch.tensor([[place]]), mask, cache) if prepared and place else None
        if scores is None:
            scores = made(
                encoder_outputs=BaseModelOutput(encoded), attention_mask=mask, decoder_input_ids=new,
                past_key_values=cache, use_cache=True,
            ).logits  # fmt: skip
        else:
            cache.advance(1)
        found.append(scores)
    return torch.cat(found, dim=1)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("mlp", ["relu", "gated-gelu"])
def test_logits(mlp: str, attention: str, rows: int) -> None:
    made = model(feed_forward_proj=mlp)
    made.set_attn_implementation(attention)
    if attention == "sdpa":
        assert fuse_projections(made) == len(made.encoder.block) + 2 * len(made.decoder.block)
    found, own = (logits(made, rows=rows, prepared=one) for one in (True, False))
    torch.testing.assert_close(found, own, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("rows", [1, 3])
def test_bfloat16(rows: int) -> None:
    made = model().to(torch.bfloat16)
    found, own = (logits(made, rows=rows, prepared=one).float() for one in (True, False))
    assert (found - own).norm() < 0.02 * own.norm()


@pytest.mark.parametrize("beams", [1, 3])
def test_texts_are_the_same(beams: int) -> None:
    made, ids = model(), torch.tensor([[5, 9, 3, 4, 1], [6, 7, 1, 0, 0]])
    options: dict[str, Any] = {"max_new_tokens": 20, "eos_token_id": None, "num_beams": beams}
    runs: list[int] = []
    made.generate(ids, **options)  # the first step ever is computed both ways
    found = made.generate(ids, **options)
    handle = made.decoder.register_forward_pre_hook(lambda *_: runs.append(1))
    assert torch.equal(made.generate(ids, **options), found)
    assert len(runs) == 20, "a hook keeps the model's own forward"
    handle.remove()


@pytest.mark.parametrize("change", ["float16", "replaced", "wrapped", "more"])
def test_what_is_not_known(change: str) -> None:
    made = model()
    assert prepared_step(made) is not None
    layer = made.decoder.block[1].layer
    if change == "float16":
        made = T5ForConditionalGeneration(made.config).eval().to(torch.float16)
        for block in made.decoder.block:
            block.layer[2].DenseReluDense.wo.float()
    elif change == "replaced":
        layer[0].SelfAttention.q = nn.Sequential(layer[0].SelfAttention.q)
    elif change == "wrapped":
        layer[2].layer_norm = nn.LayerNorm(made.config.d_model)
    else:
        layer[1].EncDecAttention.gate = nn.Linear(2, 2)
    assert prepared_step(made) is None
