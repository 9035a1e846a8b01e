"""What is special about Donut's encoder: no last norm, an index that files hold, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from modelry.errors import ConfigError
from modelry_donut_swin import DonutSwinConfig, DonutSwinForImageClassification, DonutSwinModel

SMALL: dict[str, Any] = {
    "image_size": [16, 24],
    "patch_size": 2,
    "embed_dim": 8,
    "depths": [2, 2],
    "num_heads": [2, 4],
    "window_size": 4,
    "mlp_ratio": 2.0,
}


def test_there_is_no_last_norm() -> None:
    model = DonutSwinModel(DonutSwinConfig(**SMALL)).eval()
    out = model(torch.randn(1, 3, 16, 24), output_hidden_states=True)
    assert out.last_hidden_state.equal(out.hidden_states[-1])
    assert not any(name.startswith("layernorm.") for name in model.state_dict())


def test_files_hold_the_index_of_relative_positions(tmp_path: Path) -> None:
    model = DonutSwinForImageClassification(DonutSwinConfig(**SMALL)).eval()
    model.save_pretrained(tmp_path)
    name = "donut.encoder.layers.0.blocks.1.attention.self.relative_position_index"
    assert load_file(tmp_path / "model.safetensors")[name].shape == (16, 16)
    images = torch.randn(2, 3, 18, 26)
    assert DonutSwinForImageClassification.from_pretrained(tmp_path)(images).logits.equal(model(images).logits)


def test_learned_positions_are_refused() -> None:
    with pytest.raises(ConfigError, match="use_absolute_embeddings"):
        DonutSwinConfig(**SMALL, use_absolute_embeddings=True)


def test_the_keys_of_the_first_donut_are_read() -> None:
    published = {
        "model_type": "donut-swin", "attention_probs_dropout_prob": 0.0, "depths": [2, 2, 14, 2],
        "drop_path_rate": 0.1, "embed_dim": 128, "hidden_act": "gelu", "hidden_dropout_prob": 0.0, "hidden_size": 1024,
        "image_size": [2560, 1920], "initializer_range": 0.02, "layer_norm_eps": 1e-05, "mlp_ratio": 4.0,
        "num_channels": 3, "num_heads": [4, 8, 16, 32], "num_layers": 4, "patch_size": 4, "path_norm": True,
        "qkv_bias": True, "use_absolute_embeddings": False, "window_size": 10,
    }  # fmt: skip
    config = DonutSwinConfig.from_dict(published)
    assert (config.hidden_size, config.num_layers) == (1024, 4)
