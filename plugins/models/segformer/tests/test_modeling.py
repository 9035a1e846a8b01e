"""What is special about SegFormer: maps by stage, sequences at the end, classes of pixels."""

from typing import Any

import pytest
import torch

from modelry.errors import ConfigError
from modelry_segformer import SegformerConfig, SegformerForSemanticSegmentation, SegformerModel

SMALL: dict[str, Any] = {
    "num_encoder_blocks": 2,
    "depths": [1, 1],
    "sr_ratios": [2, 1],
    "hidden_sizes": [8, 16],
    "patch_sizes": [7, 3],
    "strides": [4, 2],
    "num_attention_heads": [1, 2],
    "mlp_ratios": [2, 2],
    "decoder_hidden_size": 16,
}


def test_every_stage_is_coarser() -> None:
    out = SegformerModel(SegformerConfig(**SMALL))(torch.randn(2, 3, 32, 50), output_hidden_states=True)
    assert [tuple(one.shape[1:]) for one in out.hidden_states] == [(8, 8, 13), (16, 4, 7)]


def test_a_last_stage_that_is_a_sequence_gives_the_same_scores() -> None:
    torch.manual_seed(0)
    plain = SegformerForSemanticSegmentation(SegformerConfig(**SMALL)).eval()
    other = SegformerForSemanticSegmentation(SegformerConfig(**SMALL, reshape_last_stage=False)).eval()
    other.load_state_dict(plain.state_dict())
    images = torch.randn(1, 3, 32, 48)
    with torch.inference_mode():
        assert other(images).logits.equal(plain(images).logits)
        assert other.segformer(images).last_hidden_state.shape == (1, 4 * 6, 16)


def test_pixels_learn_their_classes() -> None:
    torch.manual_seed(0)
    model = SegformerForSemanticSegmentation(SegformerConfig(**SMALL, num_labels=2, drop_path_rate=0.0)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    images = torch.randn(8, 3, 32, 32) * 0.1
    labels = torch.zeros(8, 32, 32, dtype=torch.long)
    for number in range(8):
        row = 4 * (number % 4)
        images[number, :, row : row + 16, 8:24] += 1
        labels[number, row : row + 16, 8:24] = 1
    for _ in range(40):
        loss = model(images, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.inference_mode():
        logits = model.eval()(images).logits
    found = torch.nn.functional.interpolate(logits, size=(32, 32), mode="bilinear").argmax(1)
    union = ((found == 1) | (labels == 1)).sum()
    assert ((found == 1) & (labels == 1)).sum() / union > 0.8


@pytest.mark.parametrize("changes", [{"depths": [1]}, {"strides": [4, 2, 2]}, {"hidden_sizes": [8, 15]}])
def test_lists_that_do_not_fit_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(changes))):
        SegformerConfig(**{**SMALL, **changes})


def test_other_channels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(images, 3, height, width\)"):
        SegformerModel(SegformerConfig(**SMALL))(torch.randn(1, 4, 32, 32))
