"""Samples of several maps, against the same by hand."""

import torch

from modelry_mask2former.deformable_attention import DeformableAttention, centres, weighed_samples

EXTENTS = [(2, 3), (4, 5)]


def test_centres_lie_in_the_middle_of_their_places() -> None:
    found = centres(EXTENTS, torch.device("cpu"))
    assert found.shape == (26, 2)
    torch.testing.assert_close(found[:2], torch.tensor([[1 / 6, 0.25], [0.5, 0.25]]))
    torch.testing.assert_close(found[-1], torch.tensor([0.9, 0.875]))


def test_a_sample_at_a_centre_is_the_value_there() -> None:
    values = torch.randn(1, 26, 4)
    places = centres(EXTENTS[1:], torch.device("cpu"))[None, :, None, None, None].expand(1, 20, 2, 2, 1, 2)
    weights = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2, 1).expand(1, 20, 2, 2, 1)
    torch.testing.assert_close(weighed_samples(values, EXTENTS, places, weights), values[:, 6:])
    outside = weighed_samples(values, EXTENTS, places + 2, weights)
    assert not outside.any()


def test_a_new_layer_looks_around_itself() -> None:
    attention = DeformableAttention(8, 4, levels=2, points=3)
    for one in (attention.sampling_offsets, attention.attention_weights):
        one.start(one)
    steps = attention.sampling_offsets.bias.view(4, 2, 3, 2)
    torch.testing.assert_close(steps[0, 0], torch.tensor([[1.0, 0], [2, 0], [3, 0]]))
    torch.testing.assert_close(steps[1, 1, 0], torch.tensor([0.0, 1.0]), atol=1e-6, rtol=0)
    assert attention(torch.randn(2, 26, 8), torch.zeros(1, 26, 8), EXTENTS).shape == (2, 26, 8)
