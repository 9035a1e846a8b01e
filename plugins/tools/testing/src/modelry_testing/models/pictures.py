"""Random pictures and films for a family that reads them, and labels for what it does with them.

B images   C channels   F frames   H, W height and width in pixels
"""

from typing import Any

import torch
from torch import Tensor

from modelry import ModelConfig

SIDE = 32
"""Of pictures for a family that takes any size and names none."""


def pixels(config: ModelConfig, rows: int) -> Tensor:
    """(B, C, H, W), of the size that the configuration, or one inside it, names."""
    return torch.randn(rows, *_picture(config))


def films(config: ModelConfig, rows: int) -> Tensor | None:
    """(B, F, C, H, W), where the configuration names F."""
    frames = said(config, "num_frames", None)
    return None if frames is None else torch.randn(rows, frames, *_picture(config))


def every_third_patch(config: ModelConfig, pixel_values: Tensor) -> Tensor:
    """(B, patches) bool: which patches are masked."""
    side = said(config, "patch_size", 1)
    rows, columns = (side, side) if isinstance(side, int) else side
    images, _, height, width = pixel_values.shape
    patches = (height // rows) * (width // columns)
    return torch.arange(images * patches).reshape(images, patches) % 3 == 0


def classes_of_pixels(config: ModelConfig, pixel_values: Tensor) -> Tensor:
    """(B, H, W) int64: a class for each pixel."""
    images, _, height, width = pixel_values.shape
    return torch.arange(images * height * width).reshape(images, height, width) % config.num_labels


def said(config: ModelConfig, key: str, otherwise: Any) -> Any:
    """The value of a key of this configuration, else of the first inside it that has one."""
    inside = [one for one in vars(config).values() if isinstance(one, ModelConfig)]
    return next((getattr(one, key) for one in (config, *inside) if hasattr(one, key)), otherwise)


def _picture(config: ModelConfig) -> tuple[int, int, int]:
    """(C, H, W)."""
    size = said(config, "image_size", SIDE)
    height, width = (size, size) if isinstance(size, int) else size
    return said(config, "num_channels", 3), height, width
