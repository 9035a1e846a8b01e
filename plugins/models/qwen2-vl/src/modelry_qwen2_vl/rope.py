"""Rotary positions along several axes: time, height and width in a text with pictures, row and column in a picture.

B batch   T positions   N patches   R rotated width
"""

import torch
from torch import Tensor

from modelry.nn.rope import Angles, RotaryEmbedding
from modelry.nn.rope_parameters import RopeParameters
from modelry_qwen2_vl.configuration import MultimodalRope


class MultimodalRotaryEmbedding(RotaryEmbedding):
    """Angles of positions that are three numbers each; each pair of a head is turned by one of the three.

    Args:
        parameters: variant, its numbers, and how many pairs each axis turns.
        head_width: of the language model.
        max_positions: max_position_embeddings of the configuration.
    """

    def __init__(self, parameters: MultimodalRope, *, head_width: int, max_positions: int) -> None:
        super().__init__(parameters, head_width=head_width, max_positions=max_positions)
        self.axes = [axis % 3 for axis, pairs in enumerate(parameters.sections) for _ in range(pairs)]

    def forward(self, positions: Tensor, dtype: torch.dtype) -> Angles:
        """Angles of `positions` in `dtype`.

        Args:
            positions: (3, B, T) int64, by time, height and width; or (B or 1, T), the same along all three.

        Raises:
            ValueError: another shape.
        """
        if positions.dim() == 2:
            return super().forward(positions, dtype)
        if positions.dim() != 3 or positions.shape[0] != 3:
            raise ValueError(
                f"position_ids have shape {tuple(positions.shape)}: (rows, positions) or (3, rows, positions) is needed"
            )
        of_pairs = positions[self.axes].permute(1, 2, 0)  # (B, T, R/2)
        return self.angles(of_pairs[:, None].float() * self.frequencies(positions), dtype)


class PatchRotaryEmbedding(RotaryEmbedding):
    """Angles of patches: the first half of the pairs is turned by the row, the second by the column.

    Args:
        theta: base of the wavelengths.
        head_width: of the encoder of pictures.
    """

    def __init__(self, theta: float, *, head_width: int) -> None:
        super().__init__(RopeParameters(rope_theta=theta), head_width=head_width // 2, max_positions=1)

    def forward(self, positions: Tensor, dtype: torch.dtype) -> Angles:
        """Angles of rows and columns, (N, 2) int64, in `dtype`."""
        half = positions[..., None].float() * self.frequencies(positions)  # (N, 2, R/4)
        return self.angles(half.flatten(1)[None, None], dtype)
