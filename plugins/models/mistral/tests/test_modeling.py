"""What is special about running a Mistral: the window, with and without a cache, and what the cache forgets."""

from typing import Any

import pytest
import torch

from modelry_mistral import MistralConfig, MistralForCausalLM
from modelry_registry import get_registry


def tiny(**changes: Any) -> MistralForCausalLM:
    torch.manual_seed(0)
    values = {**get_registry().get("models", "mistral").tiny, "initializer_range": 0.2, **changes}
    return MistralForCausalLM(MistralConfig(**values)).eval()


def ids(rows: int, length: int) -> torch.Tensor:
    return torch.randint(3, 128, (rows, length), generator=torch.Generator().manual_seed(0))


@torch.inference_mode()
def test_what_left_the_window_has_no_say() -> None:
    """Two layers of six positions each reach back ten: the eleventh before is out of sight."""
    model, tokens = tiny(), ids(1, 14)
    other = tokens.clone()
    other[0, :3] = 77
    found, changed = model(tokens).logits, model(other).logits
    assert torch.equal(found[:, -1], changed[:, -1])
    assert not torch.allclose(found[:, 10], changed[:, 10])


@torch.inference_mode()
def test_long_generation_holds_a_window_only() -> None:
    model, tokens = tiny(max_position_embeddings=512), ids(2, 300)
    expected = model(tokens).logits[:, -5:]
    cache = model(tokens[:, :200], use_cache=True).past_key_values
    assert all(layer.keys.shape[2] <= 192 for layer in cache.layers)
    model(tokens[:, 200:295], past_key_values=cache)
    found = torch.cat([model(tokens[:, place, None], past_key_values=cache).logits for place in range(295, 300)], 1)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="a window of 6 still holds those"):
        cache.rollback(250)


@torch.inference_mode()
def test_prompts_read_without_their_padding() -> None:
    """Packed prompts keep their windows apart."""
    model, tokens = tiny(), ids(3, 20)
    mask = torch.ones_like(tokens)
    mask[1, :9], mask[2, :15] = 0, 0
    together = model.generate(tokens, attention_mask=mask, max_new_tokens=8, eos_token_id=None)
    for row, start in enumerate((0, 9, 15)):
        alone = model.generate(tokens[row, None, start:], max_new_tokens=8, eos_token_id=None)
        assert torch.equal(together[row, start:], alone[0])
