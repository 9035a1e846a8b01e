"""What is special about running a Mamba: its state, padding, new weights, and what cannot be done."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from modelry.errors import GenerationError
from modelry_mamba import MambaConfig, MambaForCausalLM, MambaModel
from modelry_registry import get_registry


def tiny(**changes: Any) -> MambaForCausalLM:
    torch.manual_seed(0)
    return MambaForCausalLM(MambaConfig(**{**get_registry().get("models", "mamba").tiny, **changes})).eval()


def ids(rows: int, length: int) -> torch.Tensor:
    return torch.randint(3, 128, (rows, length), generator=torch.Generator().manual_seed(0))


@torch.inference_mode()
def test_memory_does_not_grow_with_the_text() -> None:
    model, tokens = tiny(), ids(2, 200)
    expected = model(tokens).logits[:, -3:]
    cache = model(tokens[:, :150], use_cache=True).past_key_values
    sizes = [[one.shape for one in layer.read(2)] for layer in cache.layers]
    model(tokens[:, 150:197], past_key_values=cache)
    found = torch.cat([model(tokens[:, place, None], cache_params=cache).logits for place in range(197, 200)], 1)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert [[one.shape for one in layer.read(2)] for layer in cache.layers] == sizes


@torch.inference_mode()
def test_packed(tmp_path: Path) -> None:
    pytest.importorskip("modelry_int8")
    model, tokens = tiny(), ids(2, 9)
    model.save_pretrained(tmp_path)
    packed = MambaForCausalLM.from_pretrained(tmp_path, quantization="int8")
    assert packed.backbone.layers[0].mixer.dt_proj.weight.dtype == torch.int8
    torch.testing.assert_close(packed(tokens).logits, model(tokens).logits, atol=0.05, rtol=0)


def test_a_failed_pass_leaves_the_state_as_it_was() -> None:
    model, tokens = tiny(), ids(1, 8)
    with torch.inference_mode():
        full = model(tokens).logits
        cache = model(tokens[:, :5], use_cache=True).past_key_values
        handle = model.backbone.layers[1].mixer.register_forward_hook(lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            model(tokens[:, 5:], past_key_values=cache)
        handle.remove()
        out = model(tokens[:, 5:], past_key_values=cache)
    torch.testing.assert_close(out.logits, full[:, 5:], atol=1e-4, rtol=1e-4)


def test_beams_carry_their_states() -> None:
    pytest.importorskip("modelry_beam_search")
    model, tokens = tiny(), ids(2, 6)
    kinds = [
        model.generate(tokens, num_beams=3, max_new_tokens=6, eos_token_id=None, use_cache=cached)
        for cached in (True, False)
    ]
    assert torch.equal(*kinds)


def test_what_would_roll_back_is_refused() -> None:
    pytest.importorskip("modelry_speculative")
    with pytest.raises(GenerationError):
        tiny().generate(ids(1, 9), prompt_lookup_num_tokens=2, max_new_tokens=4)


@torch.inference_mode()
@pytest.mark.parametrize("other", [{"state_size": 1}, {"conv_kernel": 3}, {"hidden_size": 48}])
def test_the_cache_of_a_mamba_of_other_sizes(other: dict[str, int]) -> None:
    one, two = tiny(**other), tiny()
    cache = one.make_cache()
    one(ids(1, 4), past_key_values=cache)
    with pytest.raises(ValueError, match=r"the cache holds states of the shapes .* it is another model's"):
        two.generate(ids(1, 5), past_key_values=cache, max_new_tokens=2)
    assert cache.seen == 4
    assert one(ids(1, 1), past_key_values=cache).logits.isfinite().all()


def test_static_rooms_and_weights_to_see_are_refused() -> None:
    with pytest.raises(GenerationError, match="none of recurrent layers"):
        tiny().generate(ids(1, 4), cache_implementation="static", max_new_tokens=2)
    with pytest.raises(GenerationError, match="MambaForCausalLM has recurrent layers"):
        tiny().generate(ids(1, 4), compile=True, max_new_tokens=2)
    with pytest.raises(ValueError, match="attends to nothing"):
        tiny()(ids(1, 4), output_attentions=True)
    with pytest.raises(ValueError, match="attention_mask has shape"):
        tiny()(ids(1, 4), attention_mask=torch.ones(1, 3))


def test_new_weights() -> None:
    mixer = tiny(time_step_min=0.01, time_step_max=0.02).backbone.layers[0].mixer
    steps = F.softplus(mixer.dt_proj.bias)
    assert ((steps > 0.0099) & (steps < 0.0201)).all()
    torch.testing.assert_close(mixer.A_log.exp()[3], torch.arange(1.0, 9.0))
    assert (mixer.D == 1).all()
    first, second = (tiny(rescale_prenorm_residual=scaled).backbone.layers[0].mixer for scaled in (False, True))
    torch.testing.assert_close(first.out_proj.weight, second.out_proj.weight * 2**0.5)
    flat = tiny(time_step_init_scheme="constant").backbone.layers[0].mixer.dt_proj.weight
    assert (flat == flat[0, 0]).all()


def test_the_name_of_the_first_files(tmp_path: Path) -> None:
    model = MambaModel(MambaConfig(**get_registry().get("models", "mamba").tiny)).eval()
    model.save_pretrained(tmp_path)
    stored = load_file(tmp_path / "model.safetensors")
    stored["embedding.weight"] = stored.pop("embeddings.weight")
    save_file(stored, tmp_path / "model.safetensors")
    again = MambaModel.from_pretrained(tmp_path)
    assert torch.equal(again.embeddings.weight, model.embeddings.weight)
