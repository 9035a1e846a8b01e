"""Attention in square windows of a plane of patches. Liu et al. 2021, https://arxiv.org/abs/2103.14030.

B images   G, K rows and columns of patches   M side of a window   N = M M its places   W windows of an image   D width
H heads
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class Windows(NamedTuple):
    """How a plane is cut into windows; made once for each pass and stage.

    The plane is rolled up and left by some patches before it is cut, so that windows of two layers overlap.
    """

    side: int
    order: Tensor
    """(W N,): the patch at each place, window by window; G K for a place that is padding."""
    back: Tensor
    """(G K,): the place of each patch."""
    padded: bool
    """Whether the windows reach over the right or lower border."""
    strangers: Tensor | None
    """(W, 1, N, N) bool, True for places that came together from opposite borders; None where nothing is rolled."""

    def cut(self, x: Tensor) -> Tensor:
        """(B, G K, D) to (B W, N, D)."""
        if self.padded:
            x = F.pad(x, (0, 0, 0, 1))  # a row of zeros, for the places that are padding
        return x.index_select(1, self.order).view(-1, self.side * self.side, x.shape[2])

    def join(self, windows: Tensor, images: int) -> Tensor:
        """(B W, N, D) to (B, G K, D)."""
        return windows.reshape(images, -1, windows.shape[2]).index_select(1, self.back)

    def bias(self, relative: Tensor, images: int) -> Tensor:
        """What attention adds to the scores: the relative positions, and -inf between strangers.

        Args:
            relative: (1, H, N, N).

        Returns:
            (1, H, N, N), or (B W, H, N, N) where the plane is rolled.
        """
        if self.strangers is None:
            return relative
        return relative.masked_fill(self.strangers, float("-inf")).repeat(images, 1, 1, 1)


def cut_windows(grid: tuple[int, int], side: int, *, shift: int, device: torch.device) -> Windows:
    """Cut a plane of G x K patches, padded to whole windows at the right and below.

    Args:
        side: M.
        shift: patches by which it is rolled up and left; less than M.
    """
    rows, columns = grid
    more = (-rows % side, -columns % side)
    numbers = torch.arange(rows * columns, device=device).view(rows, columns)
    numbers = F.pad(numbers, (0, more[1], 0, more[0]), value=rows * columns)
    order = _by_window(numbers.roll((-shift, -shift), (0, 1)), side).flatten()
    strangers = None
    if shift:
        tall, wide = (_bands(length, side, shift, device) for length in numbers.shape)
        regions = _by_window(tall[:, None] * 3 + wide, side)  # (W, N)
        strangers = (regions[:, :, None] != regions[:, None])[:, None]
    return Windows(side, order, order.argsort()[: rows * columns], any(more), strangers)


def relative_index(side: int) -> Tensor:
    """The row of a table of (2 M - 1)^2 relative positions for each pair of places in a window.

    Returns:
        (N, N) int64, on the CPU even where models are built without values, since no file holds it.
    """
    line = torch.arange(side, device="cpu")
    apart = line[:, None] - line + side - 1  # (M, M), from 0 to 2 M - 2
    index = apart[:, None, :, None] * (2 * side - 1) + apart[None, :, None, :]  # (M, M, M, M)
    return index.reshape(side * side, side * side)


def relative_bias(table: Tensor, index: Tensor, side: int) -> Tensor:
    """The bias of each head for each pair of places.

    Args:
        table: ((2 M' - 1)^2, H), learned for windows of side M'.
        index: `relative_index` of M'.
        side: M; less than M' in planes that are smaller than a window.

    Returns:
        (1, H, N, N).
    """
    largest = round(index.shape[0] ** 0.5)
    if side < largest:
        index = index.view(largest, largest, largest, largest)[:side, :side, :side, :side]
    return table.t().index_select(1, index.reshape(-1)).view(1, -1, side * side, side * side)


def _by_window(plane: Tensor, side: int) -> Tensor:
    """(G, K) to (W, N): the windows row by row, their places line by line."""
    rows, columns = plane.shape
    return plane.view(rows // side, side, columns // side, side).transpose(1, 2).reshape(-1, side * side)


def _bands(length: int, side: int, shift: int, device: torch.device) -> Tensor:
    """0, 1 or 2 for each line: before the last window, in it, and rolled in from the other border."""
    line = torch.arange(length, device=device)
    return (line >= length - side).long() + (line >= length - shift).long()
