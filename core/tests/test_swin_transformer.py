"""The base model of Swin transformers: with and without its last norm and the mean of all places."""

from typing import Any

import torch
from torch import nn

from modelry.nn.swin_config import SwinTransformerConfig
from modelry.swin_transformer import SwinTransformer

SMALL: dict[str, Any] = {"image_size": 16, "embed_dim": 8, "depths": [1, 1], "num_heads": [2, 2], "window_size": 2}


def test_the_last_norm() -> None:
    config = SwinTransformerConfig(**SMALL)
    normed, bare = SwinTransformer(config).eval(), SwinTransformer(config, normed=False).eval()
    bare.load_state_dict(normed.state_dict(), strict=False)
    nn.init.normal_(normed.layernorm.weight)
    images = torch.randn(2, 3, 16, 24)
    first, second = normed(images).last_hidden_state, bare(images).last_hidden_state
    torch.testing.assert_close(first, normed.layernorm(second))


def test_the_mean_of_all_places() -> None:
    config = SwinTransformerConfig(**SMALL)
    out = SwinTransformer(config).eval()(torch.randn(2, 3, 16, 16))
    torch.testing.assert_close(out.pooler_output, out.last_hidden_state.mean(1))
    assert SwinTransformer(config, pooling=False)(torch.randn(1, 3, 16, 16)).pooler_output is None
