"""What is special about Wav2Vec2: padding, masks, freezing, weight-normed names, short sounds."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from modelry import AutoConfig
from modelry.errors import ConfigError
from modelry_registry import get_registry
from modelry_wav2vec2 import (
    Wav2Vec2ForCTC,
    Wav2Vec2ForPreTraining,
    Wav2Vec2ForSequenceClassification,
    Wav2Vec2ForXVector,
    Wav2Vec2Model,
)

LENGTHS = (900, 640, 300)


def made(cls: Any, **changes: Any) -> Any:
    family: Any = get_registry().get("models", "wav2vec2")
    torch.manual_seed(0)
    return cls.from_config(AutoConfig.for_model(**{**family.tiny, "initializer_range": 0.2, **changes})).eval()


@pytest.fixture
def padded() -> tuple[torch.Tensor, torch.Tensor]:
    """Three waveforms and their mask."""
    mask = (torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]).long()
    return torch.randn(3, max(LENGTHS), generator=torch.Generator().manual_seed(1)) * mask, mask


@pytest.mark.parametrize("cls", [Wav2Vec2ForCTC, Wav2Vec2ForSequenceClassification])
def test_a_padded_batch_is_its_rows_alone(cls: Any, padded: tuple[torch.Tensor, torch.Tensor]) -> None:
    model, (sound, mask) = made(cls), padded
    with torch.inference_mode():
        together = model(sound, attention_mask=mask).logits
        for row, length in enumerate(LENGTHS):
            alone = model(sound[row : row + 1, :length]).logits[0]
            found = together[row] if alone.dim() == 1 else together[row, : len(alone)]
            torch.testing.assert_close(found, alone, atol=1e-5, rtol=1e-5)


def test_frames_are_hidden_in_training_only(padded: tuple[torch.Tensor, torch.Tensor]) -> None:
    model, (sound, mask) = made(Wav2Vec2Model, mask_time_prob=0.5, mask_feature_prob=0.5, hidden_dropout=0.0), padded
    assert torch.equal(model(sound, mask).last_hidden_state, model(sound, mask).last_hidden_state)
    model.train()
    torch.manual_seed(0)
    model(sound, mask).last_hidden_state.sum().backward()
    assert model.masked_spec_embed.grad.any()
    still = made(Wav2Vec2Model, mask_time_prob=0.5, apply_spec_augment=False).train()
    still(sound, mask).last_hidden_state.sum().backward()
    assert still.masked_spec_embed.grad is None


def test_layers_left_out(padded: tuple[torch.Tensor, torch.Tensor]) -> None:
    model = made(Wav2Vec2Model, layerdrop=1.0, mask_time_prob=0.0).train()
    model(padded[0]).last_hidden_state.sum().backward()
    assert all(parameter.grad is None for parameter in model.encoder.layers.parameters())


def test_a_mask_without_its_embedding(padded: tuple[torch.Tensor, torch.Tensor]) -> None:
    model = made(Wav2Vec2Model, mask_time_prob=0.0)
    with pytest.raises(ConfigError, match="mask_time_indices need masked_spec_embed"):
        model(padded[0], mask_time_indices=torch.ones(3, 89))


def test_the_quantizer_draws_in_training() -> None:
    model = made(Wav2Vec2ForPreTraining, num_codevectors_per_group=4).train()
    model.set_gumbel_temperature(5.0)
    frames = torch.randn(2, 6, 16)
    torch.manual_seed(1)
    first, used = model.quantizer(frames, None)
    second, _ = model.quantizer(frames, torch.ones(2, 6, dtype=torch.bool))
    assert not torch.equal(first, second)
    assert 2 <= float(used.detach()) <= 8
    with pytest.raises(ValueError, match="sampled_negative_indices need mask_time_indices"):
        model(torch.randn(1, 200), sampled_negative_indices=torch.zeros(1, 19, 2))


def test_freezing() -> None:
    model = made(Wav2Vec2ForCTC)
    model.freeze_feature_encoder()
    frozen = [name for name, one in model.named_parameters() if not one.requires_grad]
    assert frozen
    assert all("feature_extractor" in name for name in frozen)
    model.freeze_base_model()
    assert [name for name, one in model.named_parameters() if one.requires_grad] == ["lm_head.weight", "lm_head.bias"]


def test_older_names_of_normed_weights(tmp_path: Path) -> None:
    """torch.nn.utils.weight_norm called them weight_g and weight_v; both spellings are read, the newer is written."""
    model = made(Wav2Vec2ForCTC)
    model.save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    stored = load_file(path)
    place = "wav2vec2.encoder.pos_conv_embed.conv."
    assert f"{place}parametrizations.weight.original0" in stored
    for newer, older in (
        ("parametrizations.weight.original0", "weight_g"),
        ("parametrizations.weight.original1", "weight_v"),
    ):
        stored[place + older] = stored.pop(place + newer)
    save_file(stored, path, metadata={"format": "pt"})
    again = Wav2Vec2ForCTC.from_pretrained(tmp_path)
    sound = torch.randn(1, 400, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        assert torch.equal(model(sound).logits, again(sound).logits)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ({"input_values": torch.zeros(1, 10)}, "at least 20 samples, which give one frame. Pad shorter sounds"),
        ({"input_values": torch.zeros(400)}, r"the shape \(400,\): \(rows, samples\) is needed"),
        ({"input_values": torch.zeros(1, 400), "attention_mask": torch.ones(1, 39)}, "one number for each sample"),
        (
            {"input_values": torch.zeros(1, 400), "labels": torch.tensor([[32]])},
            "a label is 32: with 32 classes labels are 0 to 31",
        ),
    ],
)
def test_refused(call: dict[str, torch.Tensor], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        made(Wav2Vec2ForCTC)(**call)


def test_speakers_and_negatives_that_are_none() -> None:
    with pytest.raises(ValueError, match="a label is 9: with 2 classes labels are 0 to 1"):
        made(Wav2Vec2ForXVector, num_labels=2)(torch.zeros(1, 4000), labels=torch.tensor([9]))
    hidden = torch.ones(1, 399, dtype=torch.bool)
    with pytest.raises(ValueError, match="sampled_negative_indices hold 399: the batch has the frames 0 to 398"):
        made(Wav2Vec2ForPreTraining)(
            torch.zeros(1, 4000), mask_time_indices=hidden, sampled_negative_indices=torch.full((1, 399, 2), 399)
        )


def test_a_short_row_of_a_batch() -> None:
    with pytest.raises(ValueError, match="row 1 has 7 samples: at least 20 are needed"):
        made(Wav2Vec2ForCTC)(torch.zeros(2, 400), attention_mask=torch.tensor([[1] * 400, [1] * 7 + [0] * 393]))


def test_an_adapter_is_not_for_classifiers() -> None:
    with pytest.raises(ConfigError, match="Wav2Vec2ForSequenceClassification has no adapter"):
        made(Wav2Vec2ForSequenceClassification, add_adapter=True)


@torch.no_grad()
def test_a_new_model() -> None:
    """Convolutions, the mask embedding and the codebook start as published ones do."""
    model = made(Wav2Vec2ForPreTraining, num_codevectors_per_group=64, hidden_size=64)
    conv = model.wav2vec2.feature_extractor.conv_layers[1].conv.weight
    assert abs(float(conv.std()) - (2 / (16 * 3)) ** 0.5) < 0.02
    place = model.wav2vec2.encoder.pos_conv_embed.conv
    assert abs(float(place.weight_v.std()) - 2 * (16 * 64) ** -0.5) < 0.01
    torch.testing.assert_close(place.weight_g.flatten(), place.weight_v.flatten(0, 1).norm(dim=0))
    assert 0 <= float(model.quantizer.codevectors.min()) < 0.05 < 0.95 < float(model.quantizer.codevectors.max()) <= 1
    assert float(model.wav2vec2.masked_spec_embed.detach().min()) >= 0
    assert abs(float(model.quantizer.weight_proj.weight.std()) - 1) < 0.1


@torch.inference_mode()
def test_codevectors_of_a_packed_model(tmp_path: Path) -> None:
    """They are computed in the dtype of the model, whatever its weights are stored in."""
    model = made(Wav2Vec2ForPreTraining)
    model.save_pretrained(tmp_path)
    packed = Wav2Vec2ForPreTraining.from_pretrained(tmp_path, quantization="int8")
    sound = torch.randn(1, 900, generator=torch.Generator().manual_seed(0))
    found, expected = (one(sound).projected_quantized_states for one in (packed, model))
    assert (found - expected).norm() < 0.05 * expected.norm()
