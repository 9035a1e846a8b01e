"""Tokens and patches with learned positions."""

import pytest
import torch

from modelry.nn.tower_config import TextTowerConfig, VisionTowerConfig
from modelry.nn.tower_embeddings import PatchesWithPositions, TokensWithPositions


def test_a_token_and_its_place() -> None:
    embed = TokensWithPositions(TextTowerConfig(vocab_size=9, hidden_size=4, num_attention_heads=2))
    ids, places = torch.tensor([[3, 5]]), torch.tensor([[4, 1]])
    tokens, positions = embed.token_embedding.weight, embed.position_embedding.weight
    torch.testing.assert_close(embed(ids, None, None), (tokens[[3, 5]] + positions[:2])[None])
    torch.testing.assert_close(embed(ids, places, None), (tokens[[3, 5]] + positions[[4, 1]])[None])
    torch.testing.assert_close(embed(None, places, tokens[[3, 5]][None]), embed(ids, places, None))
    with pytest.raises(ValueError, match="78 positions and the model 77"):
        embed(torch.zeros(1, 78, dtype=torch.long), None, None)


@pytest.mark.parametrize("class_token", [True, False])
def test_patches_in_their_places(class_token: bool) -> None:
    config = VisionTowerConfig(hidden_size=4, num_attention_heads=2, image_size=(16, 24), patch_size=8)
    embed = PatchesWithPositions(config, class_token=class_token, bias=True)
    images = torch.randn(2, 3, 16, 24)
    found = embed(images, any_size=False)
    assert found.shape == (2, 6 + class_token, 4)
    weight, bias = embed.patch_embedding.weight, embed.patch_embedding.bias
    assert bias is not None
    last = (weight * images[1, :, 8:, 16:]).sum((1, 2, 3)) + bias + embed.position_embedding.weight[-1]
    torch.testing.assert_close(found[1, -1], last)
    if embed.class_embedding is not None:
        torch.testing.assert_close(found[0, 0], embed.class_embedding + embed.position_embedding.weight[0])
    torch.testing.assert_close(embed(images, any_size=True), found)
    assert embed(torch.randn(1, 3, 17, 40), any_size=True).shape == (1, 10 + class_token, 4)


def test_images_that_do_not_fit() -> None:
    config = VisionTowerConfig(hidden_size=4, num_attention_heads=2, image_size=16, patch_size=8)
    embed = PatchesWithPositions(config, class_token=False, bias=False)
    with pytest.raises(ValueError, match="24 x 16 pixels"):
        embed(torch.randn(1, 3, 24, 16), any_size=False)
    with pytest.raises(ValueError, match="smaller than"):
        embed(torch.randn(1, 3, 7, 16), any_size=True)
    with pytest.raises(ValueError, match="give pixel_values"):
        embed(None, any_size=True)
