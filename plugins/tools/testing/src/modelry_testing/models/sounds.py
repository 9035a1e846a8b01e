"""Random sounds for a family that hears.

B sounds   M mel bins   L frames of a spectrogram   S positions of the encoder   N samples   T positions
"""

from math import prod

import torch
from torch import Tensor

from modelry import ModelConfig
from modelry_testing.models.pictures import said

FRAMES = 4
"""Of a waveform's features, for each position that a check asks for."""


def spectrograms(config: ModelConfig, rows: int) -> Tensor | None:
    """(B, M, L), L = 2 S, where the configuration names M and S."""
    bins, positions = said(config, "num_mel_bins", None), said(config, "max_source_positions", None)
    if bins is None or positions is None:
        return None
    return torch.randn(rows, bins, 2 * positions)


def waves(config: ModelConfig, rows: int, length: int) -> Tensor | None:
    """(B, N) with FRAMES frames for each of `length` positions, where the configuration names the strides."""
    strides = said(config, "conv_stride", None)
    return None if strides is None else torch.randn(rows, FRAMES * length * prod(strides))
