"""How much a candidate resembles the text so far: the greatest cosine between their hidden states.

R rows   W positions of the prompt   S positions so far   K candidates   D width of a hidden state
"""

from typing import final

from torch import Tensor
from torch.nn import functional as F


@final
class Context:
    """The directions of all hidden states so far, in float32: cosines of bfloat16 states differ in the third digit.

    Args:
        states: (R, W, D) of the prompts.
        mask: (R, W), 0 at padding, which resembles nothing; None where nothing is padded.
    """

    def __init__(self, states: Tensor, mask: Tensor | None) -> None:
        self._directions = F.normalize(states.float(), dim=-1)  # (R, room, D)
        self._length = states.shape[1]
        self._padding = None if mask is None else (mask == 0)[:, None]  # (R, 1, W)

    def add(self, states: Tensor) -> None:
        """Let each row go on with one more state, (R, D)."""
        room = self._directions.shape[1]
        if self._length == room:
            self._directions = F.pad(self._directions, (0, 0, 0, max(room, 64)))
        self._directions[:, self._length] = F.normalize(states.float(), dim=-1)
        self._length += 1

    def keep(self, rows: Tensor) -> None:
        """Let the rows be `rows` (R',) of these."""
        self._directions = self._directions[rows]
        self._padding = None if self._padding is None else self._padding[rows]

    def likeness(self, states: Tensor) -> Tensor:
        """The degeneration penalty of the paper.

        Args:
            states: (R, K, D) of the candidates.

        Returns:
            (R, K) float32 in [-1, 1]: 1 repeats the direction of an earlier state.
        """
        cosines = F.normalize(states.float(), dim=-1) @ self._directions[:, : self._length].mT  # (R, K, S)
        if self._padding is not None:
            cosines[:, :, : self._padding.shape[2]].masked_fill_(self._padding, -float("inf"))
        return cosines.amax(dim=-1)
