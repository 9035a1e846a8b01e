"""What is special about running a GPT-2: stored layouts, learned positions, two heads, an encoder beside it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from modelry_gpt2 import GPT2Config, GPT2DoubleHeadsModel, GPT2LMHeadModel, GPT2Model
from modelry_registry import get_registry


def tiny(**changes: Any) -> GPT2Config:
    return GPT2Config(**{**get_registry().get("models", "gpt2").tiny, "initializer_range": 0.2, **changes})


def ids(rows: int, length: int) -> torch.Tensor:
    return torch.randint(3, 128, (rows, length), generator=torch.Generator().manual_seed(0))


def test_the_first_files(tmp_path: Path) -> None:
    """Without the prefix of a head, with causal triangles among the tensors: as the published ones of 2019."""
    model = GPT2LMHeadModel(tiny(tie_word_embeddings=True)).eval()
    model.save_pretrained(tmp_path)
    stored = load_file(tmp_path / "model.safetensors")
    assert stored["transformer.h.0.attn.c_attn.weight"].shape == (32, 96)
    older = {name.removeprefix("transformer."): tensor.clone() for name, tensor in stored.items()}
    older |= {f"h.{n}.attn.bias": torch.ones(64, 64).tril()[None, None] for n in range(2)}
    older |= {f"h.{n}.attn.masked_bias": torch.tensor(-1e4) for n in range(2)}
    save_file(older, tmp_path / "model.safetensors")
    again = GPT2LMHeadModel.from_pretrained(tmp_path)
    with torch.no_grad():
        assert torch.equal(again(ids(1, 9)).logits, model(ids(1, 9)).logits)


def test_more_positions_than_there_are() -> None:
    model = GPT2Model(tiny()).eval()
    with pytest.raises(ValueError, match="65 positions and the model 64"):
        model(ids(1, 65))
    with torch.no_grad():
        cache = model(ids(1, 64)).past_key_values
    with pytest.raises(ValueError, match="65 positions and the model 64"):
        model(ids(1, 1), past_key_values=cache)


def test_projections_onto_the_stream_start_small() -> None:
    block = GPT2LMHeadModel(tiny(n_layer=8, initializer_range=0.1)).transformer.h[0]
    assert 0.08 < block.attn.c_attn.weight.std().item() < 0.12
    assert 0.02 < block.mlp.c_proj.weight.std().item() < 0.03


@torch.inference_mode()
def test_an_encoder_is_read_once() -> None:
    model, encoded = GPT2LMHeadModel(tiny(add_cross_attention=True)).eval(), torch.randn(2, 5, 32)
    full = model(ids(2, 8), encoder_hidden_states=encoded).logits
    out = model(ids(2, 8)[:, :6], encoder_hidden_states=encoded, use_cache=True)
    later = model(ids(2, 8)[:, 6:], encoder_hidden_states=0 * encoded, past_key_values=out.past_key_values)
    torch.testing.assert_close(later.logits, full[:, 6:], atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="looks at no encoder"):
        GPT2Model(tiny()).eval()(ids(2, 8), encoder_hidden_states=encoded)


def test_upcast_scores_are_nearer_in_bfloat16() -> None:
    """Scores so large that their rounding shows."""
    far = []
    for upcast in (False, True):
        torch.manual_seed(0)
        model = GPT2Model(tiny(reorder_and_upcast_attn=upcast, initializer_range=0.6)).eval()
        model.set_attn_implementation("eager")
        with torch.inference_mode():
            model.bfloat16()
            rounded = model(ids(2, 20)).last_hidden_state.float()
            far.append((rounded - model.float()(ids(2, 20)).last_hidden_state).norm())
    assert far[1] < far[0]


def test_two_heads_leave_the_callers_configuration_alone() -> None:
    config = tiny(num_labels=7)
    model = GPT2DoubleHeadsModel(config)
    assert (config.num_labels, model.config.num_labels) == (7, 1)
    assert model(ids(6, 5).view(2, 3, 5)).mc_logits.shape == (2, 3)
