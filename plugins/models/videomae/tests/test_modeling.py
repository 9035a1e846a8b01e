"""What is special about VideoMAE: tubelets, what is masked and what is seen, pooling, and what is refused."""

from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from modelry import AutoImageProcessor, AutoVideoProcessor
from modelry.errors import ConfigError
from modelry_videomae import VideoMAEConfig, VideoMAEForPreTraining, VideoMAEForVideoClassification, VideoMAEModel
from modelry_videomae.modeling import sinusoids
from modelry_videomae.pretraining import pixels_of_tubelets

SMALL: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": (16, 24),
    "patch_size": 8,
    "num_frames": 4,
    "decoder_hidden_size": 12,
    "decoder_intermediate_size": 16,
    "decoder_num_hidden_layers": 1,
    "decoder_num_attention_heads": 2,
}
TUBELETS = 2 * 2 * 3


@pytest.fixture
def video() -> torch.Tensor:
    """Two of four frames."""
    return torch.randn(2, 4, 3, 16, 24, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def masked() -> torch.Tensor:
    """The first four tubelets of either."""
    return (torch.arange(TUBELETS) < 4).expand(2, -1)


def test_positions_are_sines_and_cosines_of_the_same_angle() -> None:
    table = sinusoids(5, 6)
    assert table.shape == (1, 5, 6)
    angle = 3 / 10000 ** (2 / 6)
    expected = torch.tensor([angle, angle])
    torch.testing.assert_close(table[0, 3, 2:4], torch.stack([expected[0].sin(), expected[1].cos()]))
    assert table.dtype is torch.float32


def test_a_masked_tubelet_is_not_seen(video: torch.Tensor, masked: torch.Tensor) -> None:
    model = VideoMAEModel(VideoMAEConfig(**SMALL)).eval()
    other = video.clone()
    other[:, :2, :, :8] = 0  # the first three tubelets
    with torch.inference_mode():
        first, second = (model(one, bool_masked_pos=masked).last_hidden_state for one in (video, other))
        assert first.shape == (2, TUBELETS - 4, 16)
        assert first.equal(second)
        assert not model(video).last_hidden_state.equal(model(other).last_hidden_state)


def test_tubelets_lie_in_time_then_rows_then_columns(video: torch.Tensor) -> None:
    pixels = pixels_of_tubelets(video, (2, 8, 8))
    assert pixels.shape == (2, TUBELETS, 2 * 8 * 8, 3)
    block = video[1, 2:4, :, 8:16, 16:24]  # the last of time, rows and columns
    mean, spread = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = block.permute(0, 2, 3, 1).reshape(-1, 3) * spread + mean
    torch.testing.assert_close(pixels[1, -1], expected)
    leaving = pixels_of_tubelets(torch.nn.functional.pad(video, (0, 3, 0, 2)), (2, 8, 8))
    assert leaving.equal(pixels)


def test_pretraining_learns_normalised_pixels(video: torch.Tensor, masked: torch.Tensor) -> None:
    model = VideoMAEForPreTraining(VideoMAEConfig(**SMALL)).eval()
    with torch.inference_mode():
        out = model(video, bool_masked_pos=masked)
    assert out.logits.shape == (2, 4, 2 * 8 * 8 * 3)
    wanted = model.targets(video)[masked].view(2, 4, -1)
    torch.testing.assert_close(out.loss, (out.logits - wanted).square().mean())
    by_channel = wanted.unflatten(-1, (-1, 3))
    torch.testing.assert_close(by_channel.mean(dim=2), torch.zeros(2, 4, 3), atol=1e-5, rtol=0)


def test_pooling_decides_which_norm_there_is(video: torch.Tensor) -> None:
    mean = VideoMAEForVideoClassification(VideoMAEConfig(**SMALL, num_labels=5))
    first = VideoMAEForVideoClassification(VideoMAEConfig(**SMALL, num_labels=5, use_mean_pooling=False))
    assert (mean.videomae.layernorm, first.fc_norm) == (None, None)
    for model in (mean, first):
        assert model(video).logits.shape == (2, 5)


def test_a_pretrained_model_is_trained_on_with_the_mean(tmp_path: Any, video: torch.Tensor) -> None:
    pretrained = VideoMAEForPreTraining(VideoMAEConfig(**SMALL, use_mean_pooling=False))
    pretrained.save_pretrained(tmp_path)
    with pytest.warns(match="classifier"):
        model = VideoMAEForVideoClassification.from_pretrained(tmp_path, use_mean_pooling=True, num_labels=3)
    assert model.videomae.layernorm is None
    assert model(video).logits.shape == (2, 3)
    kept = model.videomae.encoder.layer[1].attention.attention
    assert kept.value.weight.equal(pretrained.videomae.encoder.layer[1].attention.attention.value.weight)


def test_biases_have_their_published_names(tmp_path: Any) -> None:
    config = VideoMAEConfig(**SMALL, qkv_bias=True)
    VideoMAEForPreTraining(config).save_pretrained(tmp_path)
    names = load_file(tmp_path / "model.safetensors").keys()
    attention = "attention.attention"
    assert {f"videomae.encoder.layer.1.{attention}.q_bias", f"decoder.decoder_layers.0.{attention}.v_bias"} <= names
    assert not [name for name in names if name.endswith(("query.bias", "key.bias", "value.bias"))]
    without = VideoMAEModel(VideoMAEConfig(**SMALL, qkv_bias=False))
    assert without.encoder.layer[0].attention.attention.query.bias is None


def test_videos_that_cannot_be_are_refused(video: torch.Tensor) -> None:
    model = VideoMAEModel(VideoMAEConfig(**SMALL))
    for given, says in [
        (None, "give pixel_values"),
        (video[:, :2], r"\(2, 2, 3, 16, 24\): \(videos, 4, 3, 16, 24\) is needed"),
        (video[:, :, :1], "is needed"),
        (video[..., :16], "is needed"),
        (video[0], "is needed"),
    ]:
        with pytest.raises(ValueError, match=says):
            model(given)


def test_masks_that_cannot_be_are_refused(video: torch.Tensor, masked: torch.Tensor) -> None:
    model = VideoMAEForPreTraining(VideoMAEConfig(**SMALL))
    uneven = torch.stack([masked[0], torch.arange(TUBELETS) < 6])
    for given, says in [
        (None, "give bool_masked_pos"),
        (torch.zeros_like(masked), "give bool_masked_pos"),
        (torch.ones_like(masked), "masks all 12 tubelets"),
        (uneven, "masks 4 to 6 tubelets"),
        (masked[:, 1:], r"shape \(2, 11\); \(videos, tubelets\) is \(2, 12\)"),
    ]:
        with pytest.raises(ValueError, match=says):
            model(video, bool_masked_pos=given)


def test_plain_pixels_need_colours() -> None:
    with pytest.raises(ConfigError, match="norm_pix_loss is false and num_channels 1"):
        VideoMAEForPreTraining(VideoMAEConfig(**SMALL, num_channels=1, norm_pix_loss=False))


def test_older_configurations_say_the_bias_otherwise() -> None:
    config = VideoMAEConfig(qkv_bias=False)
    assert config.qv_bias is False
    assert config.to_dict()["qv_bias"] is False


def test_its_frames_are_read_by_either_name(tmp_path: Any) -> None:
    """Published examples load VideoMAE's processor through AutoImageProcessor."""
    (tmp_path / "config.json").write_text('{"model_type": "videomae"}', encoding="utf-8")
    (tmp_path / "preprocessor_config.json").write_text(
        '{"feature_extractor_type": "VideoMAEFeatureExtractor", "size": 16, "do_center_crop": true, "crop_size": 16}',
        encoding="utf-8",
    )
    frames = [torch.zeros(3, 20, 24, dtype=torch.uint8)] * 4
    found = AutoImageProcessor.from_pretrained(tmp_path)
    assert type(found) is type(AutoVideoProcessor.from_pretrained(tmp_path))
    assert found(frames, return_tensors="pt")["pixel_values"].shape == (1, 4, 3, 16, 16)
