"""What is special about DINOv2: any size, feature maps by layer, gated MLPs, layers left out in training."""

from typing import Any

import pytest
import torch

from modelry import AutoBackbone
from modelry_dinov2 import Dinov2Backbone, Dinov2Config, Dinov2ForImageClassification, Dinov2Model

SMALL: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "mlp_ratio": 2,
    "image_size": 16,
    "patch_size": 8,
}


def test_feature_maps_lie_as_the_image_does() -> None:
    model = AutoBackbone.from_config(Dinov2Config(**SMALL, out_features=["stage1", "stage3"])).eval()
    assert model.channels == [16, 16]
    with torch.inference_mode():
        out = model(torch.randn(2, 3, 16, 40), output_hidden_states=True)
        assert [tuple(one.shape) for one in out.feature_maps] == [(2, 16, 2, 5)] * 2
        expected = model.layernorm(out.hidden_states[3])[1, 1 + 5 + 2]  # second row, third column
    torch.testing.assert_close(out.feature_maps[1][1, :, 1, 2], expected)


def test_feature_maps_may_be_sequences_without_a_norm() -> None:
    config = Dinov2Config(**SMALL, reshape_hidden_states=False, apply_layernorm=False, out_indices=[0, 2])
    out = Dinov2Backbone(config)(torch.randn(1, 3, 16, 16), output_hidden_states=True)
    assert out.feature_maps[1].equal(out.hidden_states[2])


def test_a_base_checkpoint_is_a_backbone(tmp_path: Any) -> None:
    base = Dinov2Model(Dinov2Config(**SMALL))
    base.save_pretrained(tmp_path)
    backbone = AutoBackbone.from_pretrained(tmp_path, out_indices=[1])
    assert backbone.out_features == ["stage1"]
    assert backbone.encoder.layer[2].norm1.weight.equal(base.encoder.layer[2].norm1.weight)


def test_the_gated_mlp_has_two_thirds_of_the_width() -> None:
    config = Dinov2Config(**SMALL, use_swiglu_ffn=True)
    assert config.intermediate_size == 24
    assert Dinov2Model(config).encoder.layer[0].mlp.weights_in.weight.shape == (48, 16)


def test_blocks_are_left_out_in_training_only() -> None:
    model = Dinov2ForImageClassification(Dinov2Config(**SMALL, drop_path_rate=0.5))
    images = torch.randn(1, 3, 16, 16)
    torch.manual_seed(0)
    assert len({float(model.train()(images).logits[0, 0].detach()) for _ in range(8)}) > 1
    with torch.inference_mode():
        assert model.eval()(images).logits.equal(model(images).logits)


def test_an_image_smaller_than_a_patch_is_refused() -> None:
    with pytest.raises(ValueError, match="7 x 16 pixels"):
        Dinov2Model(Dinov2Config(**SMALL))(torch.randn(1, 3, 7, 16))
