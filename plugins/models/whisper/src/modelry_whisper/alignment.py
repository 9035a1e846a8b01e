"""When each token is said: the way through what alignment heads look at. Dynamic time warping of tokens and sound.

H alignment heads   N tokens   F positions of the encoder
Radford et al. 2022, https://arxiv.org/abs/2212.04356; Sakoe and Chiba 1978, https://doi.org/10.1109/TASSP.1978.1163055.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

Floats = NDArray[np.floating[Any]]
BOTH, TOKEN, FRAME = 0, 1, 2
"""Steps of the way: a token and a frame on, a token on, a frame on."""


def median_filter(x: Tensor, width: int) -> Tensor:
    """(…, F) with the median of `width` neighbours for each value, the ends mirrored; unfiltered where too short.

    Raises:
        ValueError: the width is even.
    """
    if width % 2 == 0:
        raise ValueError(f"median_filter_width is {width}: an odd number is needed, so that one value is the middle")
    half = width // 2
    if x.shape[-1] <= half:
        return x
    mirrored = nn.functional.pad(x, (half, half, 0, 0), mode="reflect")
    return mirrored.unfold(-1, width, 1).sort().values[..., half]


def frames_of_tokens(looks: Tensor, *, filter_width: int) -> NDArray[np.int64]:
    """The position of the encoder, (N,), at which each token begins.

    Args:
        looks: (H, N, F) attention weights of the alignment heads, of the sound's own positions.
        filter_width: positions over which weights are smoothed.
    """
    deviation, mean = looks.std(dim=-2, keepdim=True, unbiased=False), looks.mean(dim=-2, keepdim=True)
    smooth = median_filter((looks - mean) / deviation, filter_width).mean(dim=0)  # (N, F)
    return cheapest_way(-smooth.cpu().double().numpy())


def cheapest_way(costs: NDArray[np.float64]) -> NDArray[np.int64]:
    """The first frame, (N,), of each token on the cheapest way from the first pair to the last, which never goes back.

    Args:
        costs: (N, F).
    """
    tokens, frames = costs.shape
    steps = np.full((tokens + 1, frames + 1), TOKEN, dtype=np.int8)
    steps[0] = FRAME
    unreachable = np.full(tokens + 1, np.inf, dtype=np.float32)
    before, last = unreachable.copy(), unreachable
    before[0] = 0.0
    for diagonal in range(2, tokens + frames + 1):  # all pairs of one sum at once
        row = np.arange(max(1, diagonal - frames), min(tokens, diagonal - 1) + 1)
        both, token, frame = before[row - 1], last[row - 1], last[row]
        step = np.where((both < token) & (both < frame), BOTH, np.where((token < both) & (token < frame), TOKEN, FRAME))
        now = unreachable.copy()
        now[row] = costs[row - 1, diagonal - row - 1] + np.choose(step, (both, token, frame))  # rounded to float32
        steps[row, diagonal - row] = step
        before, last = last, now
    return _first_frames(steps)


def _first_frames(steps: NDArray[np.int8]) -> NDArray[np.int64]:
    """Go back from the last pair."""
    token, frame = steps.shape[0] - 1, steps.shape[1] - 1
    first = np.zeros(token, dtype=np.int64)
    while token > 0:
        first[token - 1] = max(frame - 1, 0)
        step = steps[token, frame]
        token -= int(step != FRAME)
        frame -= int(step != TOKEN)
    return first
