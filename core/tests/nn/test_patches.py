"""Patches and their positions."""

import pytest
import torch

from modelry.nn.patches import (
    ImageEmbeddings,
    PatchEmbeddings,
    interpolate_positions,
    mask_patches,
)


def test_a_patch_is_one_linear_map_of_its_pixels() -> None:
    layer = PatchEmbeddings(2, 5, patch_size=(2, 3))
    images = torch.randn(2, 2, 5, 6)  # a line of pixels is left over
    patches, grid = layer(images)
    assert grid == (2, 2)
    expected = layer.projection.weight.flatten(1) @ images[1, :, 2:4, 3:6].flatten() + layer.projection.bias
    torch.testing.assert_close(patches[1, 3], expected)


@pytest.mark.parametrize(
    ("shape", "says"), [((1, 2, 1, 9), "smaller than a patch"), ((1, 3, 4, 4), "2, height"), ((2, 4, 4), "shape")]
)
def test_other_images_are_refused(shape: tuple[int, ...], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        PatchEmbeddings(2, 5, patch_size=2)(torch.zeros(shape))


def test_positions_of_the_same_grid_are_taken_as_they_are() -> None:
    table = torch.randn(1, 7, 4)
    assert interpolate_positions(table, (2, 3), (2, 3), before=1) is table


def test_positions_of_a_larger_grid_keep_the_tokens_before_and_the_corners_order() -> None:
    table = torch.cat([torch.full((1, 1, 2), 9.0), torch.arange(6.0).view(1, 6, 1).expand(1, 6, 2)], dim=1)
    larger = interpolate_positions(table, (2, 3), (4, 9), before=1)
    assert larger.shape == (1, 1 + 36, 2)
    assert larger[0, 0].tolist() == [9, 9]
    plane = larger[0, 1:, 0].view(4, 9)
    assert (plane.diff(dim=1) > -0.2).all()  # it rises, but for the overshoot of cubics at the borders
    assert float(plane[0, 0]) < 0.5
    assert float(plane[-1, -1]) > 4.5


def test_positions_are_interpolated_in_float32() -> None:
    table = torch.randn(1, 16, 8)
    rounded = interpolate_positions(table.bfloat16(), (4, 4), (3, 5))
    assert rounded.dtype is torch.bfloat16
    expected = interpolate_positions(table.bfloat16().float(), (4, 4), (3, 5)).bfloat16()
    assert rounded.equal(expected)


def test_a_mask_replaces_patches() -> None:
    x, token = torch.randn(1, 3, 2), torch.tensor([[5.0, 6.0]])
    masked = mask_patches(x, torch.tensor([[0, 1, 0]]), token)
    assert masked[0, 1].tolist() == [5, 6]
    assert masked[0, ::2].equal(x[0, ::2])


def test_embeddings_begin_with_the_class_token() -> None:
    layer = ImageEmbeddings(3, 4, image_size=(4, 6), patch_size=2)
    x, grid = layer(torch.randn(2, 3, 4, 6), any_size=False)
    assert grid == (2, 3)
    torch.testing.assert_close(x[1, 0], layer.cls_token[0, 0] + layer.position_embeddings[0, 0])


def test_a_distillation_token_stands_behind_the_class_token() -> None:
    layer = ImageEmbeddings(3, 4, image_size=(4, 6), patch_size=2, distilled=True)
    assert layer.distillation_token is not None
    x, _ = layer(torch.randn(2, 3, 6, 6), any_size=True)
    assert x.shape == (2, 2 + 9, 4)
    torch.testing.assert_close(x[1, 1], layer.distillation_token[0, 0] + layer.position_embeddings[0, 1])
