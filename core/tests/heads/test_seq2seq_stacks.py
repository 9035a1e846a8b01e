"""Encoder and decoder of the BART line: what a decoder is built with, and states that do not fit it."""

import pytest
import torch
from torch import Tensor, nn

from modelry.heads import TextDecoder
from modelry.nn.encoder_decoder_config import EncoderDecoderConfig

SIZES = {"vocab_size": 20, "d_model": 8, "decoder_layers": 1, "decoder_attention_heads": 2, "decoder_ffn_dim": 12}
IDS = torch.tensor([[5, 6, 7]])


class Numbers(nn.Module):
    """Positions in float32, whatever the model is in."""

    def forward(self, position_ids: Tensor) -> Tensor:
        return position_ids[..., None].expand(-1, -1, 8).float()


def decoder(**options: object) -> TextDecoder:
    config = EncoderDecoderConfig(**SIZES, encoder_attention_heads=2)
    return TextDecoder(config, norm_first=False, **options).eval()  # type: ignore[arg-type]  # by name


def test_a_decoder_looks_at_states_of_another_width() -> None:
    model, states = decoder(source=5), torch.randn(1, 4, 5)
    assert model.layers[0].encoder_attn.k_proj.weight.shape == (8, 5)  # type: ignore[union-attr]  # a DecoderLayer
    assert not model(IDS, encoder_hidden_states=states)[0].equal(model(IDS)[0])
    with pytest.raises(ValueError, match=r"states of width 5, .* the shape \(1, 4, 8\)"):
        model(IDS, encoder_hidden_states=torch.randn(1, 4, 8))


def test_computed_positions_take_the_models_dtype() -> None:
    model = decoder(positions=Numbers(), embedding_norm=False).bfloat16()
    assert model(IDS)[0].dtype is torch.bfloat16
    assert not model(IDS)[0].equal(model(IDS, position_ids=torch.tensor([[3, 4, 5]]))[0])
