"""The base model of plain vision transformers: its optional parts, and what it returns."""

import pytest
import torch

from modelry.nn.vit_config import VisionTransformerConfig
from modelry.vision_transformer import VisionTransformer

PIXELS = torch.randn(2, 3, 4, 6, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def config() -> VisionTransformerConfig:
    """Images of two by three patches."""
    return VisionTransformerConfig(
        hidden_size=8,
        intermediate_size=12,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=(4, 6),
        patch_size=2,
        pooler_output_size=5,
    )


@pytest.mark.parametrize(("distilled", "front"), [(False, 1), (True, 2)])
def test_tokens_and_records(config: VisionTransformerConfig, distilled: bool, front: int) -> None:
    model = VisionTransformer(config, distilled=distilled).eval()
    model.set_attn_implementation("eager")
    out = model(PIXELS, output_hidden_states=True, output_attentions=True)
    assert out.last_hidden_state.shape == (2, front + 6, 8)
    assert out.pooler_output.shape == (2, 5)
    assert len(out.hidden_states) == 3
    assert [weights.shape for weights in out.attentions] == [(2, 2, front + 6, front + 6)] * 2
    torch.testing.assert_close(out.last_hidden_state, model.layernorm(out.hidden_states[-1]))


def test_parts_that_only_some_heads_have(config: VisionTransformerConfig) -> None:
    plain = VisionTransformer(config, pooling=False, masking=True)
    assert plain.pooler is None
    assert plain(PIXELS).pooler_output is None
    masked = torch.tensor([[1, 0, 0, 0, 0, 1]] * 2)
    assert not plain(PIXELS, masked)[0].equal(plain(PIXELS)[0])
    with pytest.raises(ValueError, match="mask token"):
        VisionTransformer(config)(PIXELS, masked)
