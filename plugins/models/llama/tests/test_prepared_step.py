"""The prepared decode step gives the model's own logits, for every option and packing, and knows when to stay away."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from modelry import AutoConfig, AutoModelForCausalLM
from modelry.inference import preparing
from modelry.inference.decoder_step import DecoderStep
from modelry.inference.parts import decoder_parts
from modelry.nn.decoder_layer import DecoderLayer
from modelry.nn.fuse import fuse_projections

SIZES = {
    "vocab_size": 96,
    "hidden_size": 128,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "initializer_range": 0.1,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "every head its own": {"num_key_value_heads": 8},
    "biases, head width": {"attention_bias": True, "mlp_bias": True, "head_dim": 32},
    "half rotated": {
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 0.5},
    },
    "dynamic": {"rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}},
}
STEPS = 70


def model(options: dict[str, Any], *, dtype: torch.dtype = torch.float32) -> Any:
    torch.manual_seed(0)
    made = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", **{**SIZES, **options})).eval()
    for name, parameter in made.named_parameters():
        if name.endswith("bias") or "norm" in name:
            nn.init.normal_(parameter, mean=0.5, std=0.2)
    return made.to(dtype)


@torch.inference_mode()
def logits(model: Any, *, rows: int, padded: bool, prepared: bool) -> torch.Tensor:
    """Of STEPS random tokens behind a prompt of 20, more than a block of the cache."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(1, 96, (rows, 20), generator=generator)
    mask = torch.ones_like(ids) if padded else None
    if mask is not None:
        mask[-1, :7] = 0
    cache, found = model.make_cache(), []
    parts = decoder_parts(model)
    assert parts is not None
    step = DecoderStep(parts, rows=rows)
    model(input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True)
    for position in range(20, 20 + STEPS):
        new = torch.randint(1, 96, (rows, 1), generator=generator)
        positions = torch.full((rows, 1), position)
        if mask is not None:
            mask = torch.cat((mask, mask.new_ones(rows, 1)), dim=1)
            positions = mask.sum(1, keepdim=True) - 1
        if prepared:
            scores = step(new, positions, mask, cache)
            assert scores is not None
            cache.advance(1)
        else:
            said = {"attention_mask": mask, "position_ids": positions, "past_key_values": cache}
            scores = model(input_ids=new, use_cache=True, **said).logits
        found.append(scores.float())
    return torch.cat(found, dim=1)


def apart(one: Any, *, rows: int, padded: bool) -> float:
    own = logits(one, rows=rows, padded=padded, prepared=False)
    found = logits(one, rows=rows, padded=padded, prepared=True)
    return float((found - own).norm() / own.norm())


@pytest.mark.parametrize(("rows", "padded"), [(1, False), (3, False), (3, True), (1, True)])
@pytest.mark.parametrize("options", list(OPTIONS))
def test_logits(options: str, rows: int, padded: bool) -> None:
    made = model(OPTIONS[options])
    fuse_projections(made)
    assert apart(made, rows=rows, padded=padded) < 1e-5


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_dtypes(dtype: torch.dtype, rows: int) -> None:
    """As near to float32 as the model's own forward is: the residual sum is rounded once less."""
    made = model(OPTIONS["biases, head width"], dtype=dtype)
    exact = logits(made.float(), rows=rows, padded=False, prepared=False)
    made.to(dtype)
    own = (logits(made, rows=rows, padded=False, prepared=False) - exact).norm()
    assert (logits(made, rows=rows, padded=False, prepared=True) - exact).norm() < 1.2 * own


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_attention_of_ones_own(attention: str) -> None:
    made = model({})
    made.set_attn_implementation(attention)
    assert apart(made, rows=1, padded=False) < 1e-5


@pytest.mark.parametrize("quantization", ["int8", "int4"])
@pytest.mark.parametrize("rows", [1, 3])
def test_packed(quantization: str, rows: int, tmp_path: Path) -> None:
    pytest.importorskip(f"modelry_{quantization}")
    model(OPTIONS["biases, head width"]).save_pretrained(tmp_path)
    packed = AutoModelForCausalLM.from_pretrained(tmp_path, quantization=quantization)
    assert fuse_projections(packed) == 2 * SIZES["num_hidden_layers"]
    assert apart(packed, rows=rows, padded=False) < 1e-5


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Rows of every prepared step that ran."""
    ran: list[int] = []
    run = DecoderStep.__call__

    def count(self: DecoderStep, *arguments: Any) -> Any:
        ran.append(self.rows)
        return run(self, *arguments)

    monkeypatch.setattr(DecoderStep, "__call__", count)
    return ran


def test_generate_takes_it(counted: list[int]) -> None:
    made, ids = model({}), torch.randint(1, 96, (1, 9))
    found = made.generate(ids, max_new_tokens=12, eos_token_id=None)
    assert counted == [1] * 11
    made.register_forward_hook(lambda module, inputs, out: out)
    assert torch.equal(made.generate(ids, max_new_tokens=12, eos_token_id=None), found)
    assert len(counted) == 11


def hooked(made: Any) -> None:
    made.model.layers[1].mlp.up_proj.register_forward_hook(lambda module, inputs, out: out)


def wrapped(made: Any) -> None:
    made.model.layers[1].self_attn = nn.Sequential(made.model.layers[1].self_attn)


def another_part(made: Any) -> None:
    made.model.layers[0].self_attn.q_norm = nn.Identity()


def another_forward(made: Any) -> None:
    made.model.layers[0].forward = made.model.layers[0].forward


def in_training(made: Any) -> None:
    made.train()


def says_all(made: Any) -> None:
    made.config.output_hidden_states = True


def no_layers(made: Any) -> None:
    made.model.layers = nn.ModuleList()


@pytest.mark.parametrize("change", [hooked, wrapped, another_part, another_forward, in_training, says_all, no_layers])
def test_what_is_not_recognised(change: Callable[[Any], None]) -> None:
    made = model({})
    assert decoder_parts(made) is not None
    change(made)
    assert decoder_parts(made) is None


def test_a_family_of_like_parts_that_computes_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its parts have Llama's names and another forward puts them together: the first step shows it."""
    made, ids = model({}), torch.randint(1, 96, (1, 9))
    layer = type(made.model.layers[0])
    forward = layer.forward
    monkeypatch.setattr(layer, "forward", lambda self, x, *rest: 0.5 * forward(self, x, *rest))
    expected = ids
    with torch.no_grad():
        for _ in range(6):
            expected = torch.cat((expected, made(expected).logits[:, -1:].argmax(-1)), dim=1)
    assert decoder_parts(made) is not None
    assert torch.equal(made.generate(ids, max_new_tokens=6, eos_token_id=None), expected)
    assert preparing.prepared_step(made) is None


class Louder(DecoderLayer):
    gain = 1.0

    def forward(self, *inputs: Any) -> Any:
        return self.gain * super().forward(*inputs)


def another_class(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made.model.layers[1].__class__ = Louder
    made.model.layers[1].gain = 0.5


def another_forward_of_the_class(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = type(made.model.layers[0])
    forward = layer.forward
    monkeypatch.setattr(layer, "forward", lambda self, x, *rest: 0.5 * forward(self, x, *rest))


def another_gain(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made.model.layers[1].__class__ = Louder
    made.generate(torch.ones(1, 3, dtype=torch.long), max_new_tokens=3, eos_token_id=None)  # as it was
    made.model.layers[1].gain = 0.5


@pytest.mark.parametrize("change", [another_class, another_forward_of_the_class, another_gain])
def test_another_model_after_the_first_text(change: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    made, ids = model({}), torch.randint(1, 96, (1, 9), generator=torch.Generator().manual_seed(2))
    said = {"max_new_tokens": 8, "eos_token_id": None}
    before = made.generate(ids, **said)
    change(made, monkeypatch)
    found = made.generate(ids, **said)
    assert not torch.equal(found, before)
    assert torch.equal(found, made.generate(ids, use_cache=False, **said))


class Negative(nn.Module):
    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return -weight


def parametrized(made: Any) -> None:
    parametrize.register_parametrization(made.model.layers[0].self_attn.v_proj, "weight", Negative())


def foreign(made: Any) -> None:
    made.model.layers[0].self_attn.v_proj = nn.Linear(128, 32, bias=False)


@pytest.mark.parametrize("change", [parametrized, foreign])
def test_compiled_after_layers_were_laid_together(change: Callable[[Any], None]) -> None:
    made, ids = model({}), torch.randint(1, 96, (1, 9), generator=torch.Generator().manual_seed(2))
    said: dict[str, Any] = {"max_new_tokens": 8, "eos_token_id": None}
    before = made.generate(ids, **said)
    change(made)
    found = made.generate(ids, compile=True, compile_config={"backend": "eager"}, **said)
    assert not torch.equal(found, before)
    assert torch.equal(found, made.generate(ids, use_cache=False, **said))
