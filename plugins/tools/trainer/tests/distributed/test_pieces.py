"""Boxes of tensors: what two have in common, and a whole read from files of any division."""

from pathlib import Path

import pytest
import torch

from modelry.checkpoint.safetensors_writing import write_safetensors
from modelry_trainer.distributed.pieces import Box, Boxes, _chunk, filled, key_of


def test_what_two_boxes_have_in_common() -> None:
    assert Box((0, 2), (4, 4)).common(Box((2, 0), (4, 3))) == Box((2, 2), (2, 1))
    assert Box((0,), (2,)).common(Box((2,), (2,))) is None
    assert Box((), ()).common(Box((), ())) == Box((), ())
    assert Box((2, 2), (2, 1)).inside(Box((0, 2), (4, 4))) == (slice(2, 4), slice(0, 1))


def test_chunks_are_those_of_torch() -> None:
    for length in (0, 1, 5, 12):
        for count in (1, 2, 3, 4):
            chunks = list(torch.arange(length).chunk(count))
            for rank in range(count):
                taken = [
                    start + number
                    for _, start, many in _chunk([(0, 0, length)], rank, count, 1)
                    for number in range(many)
                ]
                assert taken == (chunks[rank].tolist() if rank < len(chunks) else [])


def test_each_piece_of_a_fused_axis_is_divided_by_itself() -> None:
    """Two pieces of 8, over two processes; then what the second has, over two again."""
    second = _chunk([(0, 0, 16)], 1, 2, 2)
    assert second == [(0, 4, 4), (4, 12, 4)]
    assert _chunk(second, 0, 2, 1) == [(0, 4, 4)]
    assert _chunk(second, 1, 2, 1) == [(0, 12, 4)]


def test_read_in_another_division(tmp_path: Path) -> None:
    whole = torch.arange(30.0).view(6, 5)
    for number, (first, last) in enumerate(((0, 4), (4, 6))):
        box = Box((first, 0), (last - first, 5))
        write_safetensors(tmp_path / f"{number}.safetensors", {key_of("a@b", box): whole[first:last]})
    with Boxes(tmp_path.iterdir()) as boxes:
        assert torch.equal(filled((6, 5), torch.float32, None, lambda into, box: boxes.fill(into, "a@b", box)), whole)
        part = boxes.fill(torch.empty(3, 2), "a@b", Box((2, 3), (3, 2)))
        assert torch.equal(part, whole[2:5, 3:5])
    (tmp_path / "0.safetensors").unlink()
    with Boxes(tmp_path.iterdir()) as boxes, pytest.raises(ValueError, match="20 of 30 numbers of a@b are in none"):
        boxes.fill(torch.empty(6, 5), "a@b", Box((0, 0), (6, 5)))
