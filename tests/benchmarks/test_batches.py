"""The batch that is measured: lengths from the shortest to the longest, padded on the left, the same each time."""

import torch

from benchmarks.work.batches import LONGEST, PAD, SHORTEST, mixed_lengths


def test_lengths_are_mixed_and_padding_is_on_the_left():
    ids, mask = mixed_lengths(8)
    lengths = mask.sum(dim=1)
    assert ids.shape == mask.shape == (8, LONGEST)
    assert (int(lengths.min()), int(lengths.max())) == (SHORTEST, LONGEST)
    assert lengths.unique().numel() > 4
    assert mask[:, -1].all()
    assert (mask.diff(dim=1) >= 0).all()
    assert (ids[mask == 0] == PAD).all()
    assert torch.equal(mixed_lengths(8)[0], ids)
