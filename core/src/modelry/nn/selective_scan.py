"""Selective state spaces: a state that each token fades and adds to. Gu and Dao 2023, https://arxiv.org/abs/2312.00752.

B batch   T new positions   I width of the inputs   N numbers of state for each   C positions of a chunk
"""

import torch
from torch import Tensor
from torch.nn import functional as F

CHUNK = 64
"""Positions that are computed at once, in log2 steps. Longer ones take more memory and no fewer passes over it."""
FEW = 4
"""Up to so many positions, one after the other is faster."""


def selective_scan(
    inputs: Tensor, steps: Tensor, decay: Tensor, write: Tensor, read: Tensor, *, state: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Run h_t = exp(step_t decay) h_(t-1) + step_t write_t input_t, and read_t h_t at each position. In float32.

    Args:
        inputs: (B, T, I).
        steps: (B, T, I), the size of each step, positive.
        decay: (I, N), negative.
        write: (B, T, N), how an input enters the state.
        read: (B, T, N), how the state is read.
        state: (B, I, N) before the first position; zeros when None.

    Returns:
        (B, T, I) and the state behind the last position, (B, I, N), in float32.
    """
    rows, new, width = inputs.shape
    if state is None:
        state = inputs.new_zeros(rows, width, decay.shape[1], dtype=torch.float32)
    scan = _one_by_one if new <= FEW else _at_once
    steps, read = steps.float(), read.float()
    added = steps * inputs.float()  # (B, T, I)
    outputs = []
    for start in range(0, new, CHUNK):
        piece = slice(start, start + CHUNK)
        fading = torch.exp(steps[:, piece, :, None] * decay.float())  # (B, C, I, N)
        entering = added[:, piece, :, None] * write[:, piece, None, :].float()
        states = scan(fading, entering, state)
        outputs.append((states @ read[:, piece, :, None]).squeeze(-1))
        state = states[:, -1]
    return torch.cat(outputs, dim=1), state


def _one_by_one(fading: Tensor, entering: Tensor, state: Tensor) -> Tensor:
    """States (B, C, I, N) behind each position."""
    found = []
    for position in range(fading.shape[1]):
        state = fading[:, position] * state + entering[:, position]
        found.append(state)
    return torch.stack(found, dim=1)


def _at_once(fading: Tensor, entering: Tensor, state: Tensor) -> Tensor:
    """The same by doubling: after each pass a position knows twice as many before it. Hillis and Steele 1986,
    https://doi.org/10.1145/7902.7903. Nothing is divided, so nothing overflows however fast a state fades."""
    entering = torch.cat((entering[:, :1] + fading[:, :1] * state[:, None], entering[:, 1:]), dim=1)
    reach = 1
    while reach < fading.shape[1]:
        later = entering[:, reach:] + fading[:, reach:] * entering[:, :-reach]
        entering = torch.cat((entering[:, :reach], later), dim=1)
        fading = torch.cat((fading[:, :reach], fading[:, reach:] * fading[:, :-reach]), dim=1)
        reach *= 2
    return entering


def causal_convolution(
    x: Tensor, weight: Tensor, bias: Tensor | None, *, before: Tensor | None
) -> tuple[Tensor, Tensor]:
    """A filter over each channel's last positions.

    Args:
        x: (B, I, T).
        weight: (I, 1, K), K positions, the last of them the newest.
        bias: (I,) or None.
        before: (B, I, K - 1), the inputs before x; zeros when None.

    Returns:
        (B, I, T), and the inputs that a later call needs, (B, I, K - 1).
    """
    known = weight.shape[2] - 1
    whole = F.pad(x, (known, 0)) if before is None else torch.cat((before, x), dim=2)  # (B, I, K - 1 + T)
    return F.conv1d(whole, weight, bias, groups=x.shape[1]), whole[:, :, whole.shape[2] - known :]
