"""Where tokens stand when pictures stand among them, and patches within a picture. Pure functions.

B rows   T new positions   I pictures, a row of a grid each: frames, rows and columns of patches
"""

from collections.abc import Iterator, Mapping
from itertools import groupby

import torch
from torch import Tensor

KINDS = {1: "image", 2: "video"}
"""What a token is, as mm_token_type_ids have it; 0 is text."""


def patch_positions(grid_thw: Tensor, merge: int) -> Tensor:
    """Row and column of every patch, (N, 2), in their order: squares of merge x merge that become one token.

    Args:
        grid_thw: (I, 3).
    """
    found = []
    for frames, rows, columns in grid_thw.tolist():
        plane = torch.stack(torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij"), dim=-1)
        squares = plane.view(rows // merge, merge, columns // merge, merge, 2).transpose(1, 2)
        found.append(squares.reshape(-1, 2).repeat(frames, 1))
    return torch.cat(found).to(grid_thw.device)


def token_positions(
    kinds: Tensor, grids: Mapping[int, Tensor | None], real: Tensor | None, start: Tensor, *, merge: int
) -> tuple[Tensor, Tensor]:
    """Positions along time, height and width. Wang et al. 2024, https://arxiv.org/abs/2409.12191, section 2.1.

    Text goes on by one along all three. The parts of a picture stand at its frames, rows and columns, counted from
    where it begins; what follows goes on behind its longer edge.

    Args:
        kinds: (B, T), 0 for text and the keys of `KINDS`.
        grids: kind to (I, 3), in the order in which the pictures stand in the text.
        real: (B, T), 0 at padding; None where nothing is padded.
        start: (B,) where each row's new tokens begin.
        merge: patches a side that become one token.

    Returns:
        (3, B, T), 0 at padding; and (B,), where what follows goes on.

    Raises:
        ValueError: the pictures have more or fewer parts than the text has places.
    """
    following = {kind: iter([] if grid is None else grid.tolist()) for kind, grid in grids.items()}
    positions = torch.zeros(3, *kinds.shape, dtype=torch.long)
    ends = []
    for row, (of_row, begin) in enumerate(zip(kinds.tolist(), start.tolist(), strict=True)):
        shown = [True] * len(of_row) if real is None else real[row].bool().tolist()
        found, end = _of_row([kind for kind, one in zip(of_row, shown, strict=True) if one], following, begin, merge)
        positions[:, row, torch.tensor(shown)] = found
        ends.append(end)
    for kind, grid in following.items():
        left = len(list(grid))
        if left:
            raise ValueError(f"{left} {KINDS[kind]} inputs have no places in the text: {_ADVICE}")
    return positions.to(kinds.device), torch.tensor(ends, device=kinds.device)


_ADVICE = "prepare both in one call of the processor"


def _of_row(kinds: list[int], grids: Mapping[int, Iterator[list[int]]], begin: int, merge: int) -> tuple[Tensor, int]:
    """(3, length) of one row without its padding, and where what follows goes on: a film may have later frames."""
    parts = [torch.zeros(3, 0, dtype=torch.long)]
    for kind, run in groupby(kinds):
        length = len(list(run))
        if kind == 0:
            parts.append(torch.arange(begin, begin + length).expand(3, -1))
            begin += length
            continue
        while length > 0:
            grid = next(grids[kind], None)
            frames, rows, columns = grid or (0, 0, 0)
            steps = (frames, rows // merge, columns // merge)
            length -= steps[0] * steps[1] * steps[2]
            if grid is None or length < 0:
                raise ValueError(f"the text keeps other places for {KINDS[kind]} tokens than the grids say: {_ADVICE}")
            axes = torch.meshgrid(*(torch.arange(one) for one in steps), indexing="ij")
            parts.append(torch.stack(axes).flatten(1) + begin)
            begin += max(steps[1:])
    return torch.cat(parts, dim=1), begin
