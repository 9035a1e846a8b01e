"""What is special about Swin: windows that overlap, planes of any size, feature maps by stage."""

from pathlib import Path
from typing import Any

import pytest
import torch

from modelry import AutoBackbone
from modelry.errors import ConfigError, ModelryWarning
from modelry_swin import SwinBackbone, SwinConfig, SwinForImageClassification, SwinForMaskedImageModeling, SwinModel

SMALL: dict[str, Any] = {
    "image_size": 16,
    "patch_size": 2,
    "embed_dim": 8,
    "depths": [2, 2],
    "num_heads": [2, 4],
    "window_size": 4,
    "mlp_ratio": 2.0,
    "encoder_stride": 4,
}


def test_the_standard_names_are_there() -> None:
    config = SwinConfig(**SMALL)
    assert (config.hidden_size, config.num_hidden_layers, config.num_attention_heads) == (16, 2, [2, 4])
    assert config.stage_names == ["stem", "stage1", "stage2"]
    assert config.stage_channels == [8, 8, 16]


def test_windows_keep_the_first_block_from_seeing_beyond_them() -> None:
    torch.manual_seed(0)
    config = SwinConfig(**{**SMALL, "depths": [1], "num_heads": [2], "initializer_range": 0.5})
    model = SwinModel(config).eval()
    images = torch.randn(1, 3, 16, 16)
    other = images.clone()
    other[..., :8, :8] = 0  # the first window: four by four patches of two pixels
    with torch.inference_mode():
        apart = (model(images).last_hidden_state - model(other).last_hidden_state).abs().amax(-1).view(8, 8)
    assert (apart[:4, :4] > 0).all()
    assert (apart[4:] == 0).all()
    assert (apart[:, 4:] == 0).all()


def test_images_smaller_than_a_window_are_one_window() -> None:
    model = SwinForImageClassification(SwinConfig(**SMALL)).eval()
    with torch.inference_mode():
        assert torch.isfinite(model(torch.randn(2, 3, 6, 10)).logits).all()


def test_rows_of_a_batch_are_alone() -> None:
    model = SwinForImageClassification(SwinConfig(**SMALL)).eval()
    images = torch.randn(3, 3, 18, 26)
    with torch.inference_mode():
        torch.testing.assert_close(model(images).logits[1:2], model(images[1:2]).logits)


def test_a_classifiers_checkpoint_is_a_backbone(tmp_path: Path) -> None:
    classifier = SwinForImageClassification(SwinConfig(**SMALL))
    classifier.save_pretrained(tmp_path)
    with pytest.warns(ModelryWarning, match="hidden_states_norms"):
        backbone = AutoBackbone.from_pretrained(tmp_path, out_features=["stage1", "stage2"])
    assert isinstance(backbone, SwinBackbone)
    assert backbone.channels == [8, 16]
    held = classifier.swin.encoder.layers[1].blocks[0].attention.self.relative_position_bias_table
    assert backbone.encoder.layers[1].blocks[0].attention.self.relative_position_bias_table.equal(held)
    out = backbone(torch.randn(1, 3, 16, 24))
    assert [tuple(one.shape) for one in out.feature_maps] == [(1, 8, 8, 12), (1, 16, 4, 6)]


def test_positions_of_another_size_are_refused_unless_interpolated() -> None:
    model = SwinModel(SwinConfig(**SMALL, use_absolute_embeddings=True))
    with pytest.raises(ValueError, match="8 x 12 patches"):
        model(torch.randn(1, 3, 16, 24))
    assert model(torch.randn(1, 3, 16, 24), interpolate_pos_encoding=True).pooler_output.shape == (1, 16)


def test_masked_patches_of_an_oblong_image() -> None:
    model = SwinForMaskedImageModeling(SwinConfig(**SMALL))
    out = model(torch.randn(2, 3, 16, 32), bool_masked_pos=torch.ones(2, 128))
    assert out.reconstruction.shape == (2, 3, 16, 32)
    assert torch.isfinite(out.loss)


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"num_heads": [2]}, "same length"), ({"embed_dim": 9}, "embed_dim of stage 1 9"), ({"depths": []}, "depths")],
)
def test_sizes_that_do_not_fit_are_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        SwinConfig(**{**SMALL, **changes})
