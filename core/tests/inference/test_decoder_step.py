"""Prepared steps of decoders with windows, normalised heads and biases give the model's own logits."""

from collections.abc import Sequence
from itertools import accumulate, cycle, islice, pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from modelry.cache.buffers import lies_turned
from modelry.decoder import RotaryDecoder
from modelry.heads import CausalLM
from modelry.inference.decoder_step import DecoderStep
from modelry.inference.parts import decoder_parts
from modelry.nn.decoder_config import WindowedDecoderConfig
from modelry.nn.decoder_layer import DecoderLayer, RotaryAttention, gated_mlp
from modelry.nn.fuse import fuse_projections

SIZES: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.2,
    "use_sliding_window": True,
    "sliding_window": 10,
}
WINDOWS = {"none": 3, "in the last layer": 2, "in every layer": 0}


class Toy(RotaryDecoder):
    config_class = WindowedDecoderConfig

    def __init__(self, config: WindowedDecoderConfig) -> None:
        super().__init__(
            config,
            lambda number: DecoderLayer(
                config, RotaryAttention(config, bias=True, normalised=number > 0), gated_mlp(config)
            ),
        )


class ToyForCausalLM(CausalLM):
    base_class = Toy


@pytest.fixture(params=[True, False], ids=["bags", "no bags"], autouse=True)
def by_bags(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Everything holds on processors where sums of rows are fast, and on others."""
    monkeypatch.setattr("modelry.inference.decoder_step.takes_bags", lambda *_: request.param)
    return bool(request.param)


def model(**changes: Any) -> Any:
    torch.manual_seed(0)
    made = ToyForCausalLM(WindowedDecoderConfig(**{**SIZES, **changes})).eval()
    for name, parameter in made.named_parameters():
        if name.endswith("bias") or "norm" in name:
            nn.init.normal_(parameter, mean=0.5, std=0.2)
    return made


@torch.inference_mode()
def logits(
    made: Any, *, rows: int, padded: bool, prepared: bool, kind: str, steps: int = 150, pattern: Sequence[int] = (1,)
) -> Tensor:
    """Of so many positions behind a prompt of 20 that the buffers of windows are moved.

    Args:
        pattern: positions of each step, again and again.
    """
    ids = torch.randint(1, 64, (rows, 20 + steps), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    if padded:
        mask[-1, :7] = 0
    parts, cache, found = decoder_parts(made), made.make_cache(kind=kind), []
    assert parts is not None
    made(ids[:, :20], attention_mask=mask[:, :20], past_key_values=cache, use_cache=True)
    made_for = {count: DecoderStep(parts, rows=rows, new=count) for count in pattern}
    ends = [20 + end for end in accumulate(islice(cycle(pattern), steps)) if end <= steps]
    for begin, end in pairwise([20, *ends]):
        new, seen = ids[:, begin:end], mask[:, :end] if padded else None
        positions = (mask.cumsum(1) - 1)[:, begin:end] if padded else torch.arange(begin, end)[None]
        if prepared:
            scores = made_for[end - begin](new, positions, seen, cache)
            assert scores is not None
            cache.advance(end - begin)
        else:
            said = {"attention_mask": seen, "position_ids": positions, "past_key_values": cache}
            scores = made(new, use_cache=True, **said).logits
        found.append(scores)
    return torch.cat(found, dim=1)


@pytest.mark.parametrize(("rows", "padded"), [(1, False), (3, False), (3, True)])
@pytest.mark.parametrize("windows", list(WINDOWS))
def test_logits(windows: str, rows: int, padded: bool) -> None:
    made = model(max_window_layers=WINDOWS[windows])
    fuse_projections(made)
    found, own = (logits(made, rows=rows, padded=padded, prepared=one, kind="dynamic") for one in (True, False))
    torch.testing.assert_close(found, own, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("rows", "padded"), [(1, False), (3, False), (3, True)])
@pytest.mark.parametrize("windows", list(WINDOWS))
def test_several_positions_in_one_step(windows: str, rows: int, padded: bool, by_bags: bool) -> None:
    """As drafts are checked; single ones between them may turn the keys."""
    made = model(max_window_layers=WINDOWS[windows])
    fuse_projections(made)
    how: dict[str, Any] = {"rows": rows, "padded": padded, "kind": "dynamic", "steps": 54, "pattern": (5, 1, 3)}
    found, own = (logits(made, prepared=one, **how) for one in (True, False))
    torch.testing.assert_close(found, own, atol=1e-4, rtol=1e-4)


def test_a_window_over_a_cache_of_everything() -> None:
    made = model(max_window_layers=1)
    found = logits(made, rows=1, padded=False, prepared=True, kind="full")
    torch.testing.assert_close(found, logits(made, rows=1, padded=False, prepared=False, kind="dynamic"))


@torch.inference_mode()
def test_a_window_that_the_model_does_not_know_of() -> None:
    """Its own forward is the way then."""
    made, ids = model(max_window_layers=0), torch.randint(1, 64, (1, 9))
    parts = decoder_parts(made)
    assert parts is not None
    cache = made.make_cache()
    made(ids, past_key_values=cache, use_cache=True)
    cache.layers[1].window = 5
    assert DecoderStep(parts, rows=1)(ids[:, :1], torch.tensor([[9]]), None, cache) is None


def test_greedy_texts_are_the_same() -> None:
    made, ids = model(max_window_layers=1), torch.randint(1, 64, (2, 30), generator=torch.Generator().manual_seed(3))
    found = made.generate(ids, max_new_tokens=120, eos_token_id=None, do_sample=False)
    made.register_forward_hook(lambda module, inputs, out: out)
    assert torch.equal(made.generate(ids, max_new_tokens=120, eos_token_id=None, do_sample=False), found)


@pytest.mark.parametrize("case", list(WINDOWS))
def test_by_products(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One row attends by plain products where they are faster; the buffer is exchanged on the way."""
    made = model(max_window_layers=WINDOWS[case]).bfloat16()
    monkeypatch.setattr("modelry.inference.decoder_step.takes_bags", lambda *_: False)
    expected = logits(made, rows=1, padded=False, prepared=False, kind="dynamic")
    calls: list[int] = []
    monkeypatch.setattr("modelry.inference.decoder_step.takes_products_by_one", lambda *_: not calls.append(1))
    found = logits(made, rows=1, padded=False, prepared=True, kind="dynamic")
    assert calls
    assert (found.float() - expected.float()).norm() < 3e-2 * expected.float().norm()


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("case", list(WINDOWS))
def test_bfloat16(case: str, rows: int) -> None:
    made = model(max_window_layers=WINDOWS[case]).bfloat16()
    how: dict[str, Any] = {"rows": rows, "padded": False, "kind": "dynamic", "steps": 60}
    found, own = (logits(made, prepared=one, **how).float() for one in (True, False))
    assert (found - own).norm() < 3e-2 * own.norm()


@torch.inference_mode()
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("lanes", [True, False])
def test_a_second_question_behind_turned_keys(
    dtype: torch.dtype, lanes: bool, by_bags: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prompts of any length are read behind what single steps have turned."""
    monkeypatch.setattr("modelry.nn.product_attention.has_bfloat16_lanes", lambda: lanes)
    made = model(max_window_layers=2).to(dtype)
    first = torch.randint(1, 64, (1, 30), generator=torch.Generator().manual_seed(3))
    for more in (1, 5, 40):
        cache = made.make_cache()
        said = made.generate(first, past_key_values=cache, max_new_tokens=4, eos_token_id=None, do_sample=False)
        assert lies_turned(cache.layers[0].keys) == by_bags
        asked = torch.cat((said, first[:, :more]), dim=1)
        found = made(asked[:, cache.get_seq_length() :], past_key_values=cache).logits
        expected = made(asked).logits[:, -found.shape[1] :]
        assert (found.float() - expected.float()).norm() < (1e-5 if dtype is torch.float32 else 3e-2) * expected.norm()


def test_the_cache_of_another_model_is_left_to_the_models_own_forward() -> None:
    made, other = model(), model(num_key_value_heads=1)
    cache, parts = other.make_cache(), decoder_parts(made)
    assert parts is not None
    other(torch.tensor([[3, 4, 5]]), past_key_values=cache)
    assert DecoderStep(parts, rows=1)(torch.tensor([[6]]), torch.tensor([[3]]), None, cache) is None
    with pytest.raises(ValueError, match="it is another model's"):
        made(torch.tensor([[6]]), past_key_values=cache)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(dtype: torch.dtype) -> None:
    """Steps and drafts are then the own forward's; its normalised queries are of another dtype than its values."""
    made, ids = model(), torch.randint(1, 64, (2, 20), generator=torch.Generator().manual_seed(3))
    mask = torch.ones_like(ids)
    mask[1, :5] = 0
    said: dict[str, Any] = {"max_new_tokens": 12, "eos_token_id": None, "attention_mask": mask}
    with torch.autocast("cpu", dtype):
        expected = made.generate(ids, use_cache=False, **said)
        assert torch.equal(made.generate(ids, **said), expected)
        assert torch.equal(made.generate(ids, prompt_lookup_num_tokens=3, **said), expected)
        assert torch.equal(made.generate(ids, prefill_chunk_size=18, **said), expected)
