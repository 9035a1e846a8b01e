"""From predicted depth to depth in the image's own size. Ranftl et al. 2021 (DPT), https://arxiv.org/abs/2103.13413.

N images   H height   W width
"""

from typing import Any

from torch import Tensor
from torch.nn.functional import interpolate

from modelry.preprocessing.images.detection import image_sizes


def depth_maps(outputs: Any, *, target_sizes: Any = None) -> list[dict[str, Tensor]]:
    """Depth of each image.

    Args:
        outputs: predicted_depth (N, H, W).
        target_sizes: (height, width) of each image; None leaves the prediction's own.

    Returns:
        For each image predicted_depth (H, W), in the prediction's unit.
    """
    found: list[Tensor] = list(outputs.predicted_depth)
    sizes = image_sizes(target_sizes, len(found))
    if sizes is not None:
        found = [
            interpolate(one[None, None], size=size, mode="bicubic", align_corners=False)[0, 0]
            for one, size in zip(found, sizes, strict=True)
        ]
    return [{"predicted_depth": one} for one in found]
