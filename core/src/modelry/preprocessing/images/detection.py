"""From a detector's outputs to boxes in an image. Carion et al. 2020 (DETR), https://arxiv.org/abs/2005.12872.

N images   Q queries   K classes, and one more for "nothing"
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from modelry.errors import PreprocessorError


def found_objects(outputs: Any, *, threshold: float, target_sizes: Any = None) -> list[dict[str, Tensor]]:
    """The objects of each image whose class is surer than `threshold`.

    Args:
        outputs: logits (N, Q, K + 1) and pred_boxes (N, Q, 4): centre x, centre y, width, height, as parts of its size.
        target_sizes: (height, width) of each image, as pairs or (N, 2); None leaves parts of the image.

    Returns:
        For each image scores (found,), labels (found,) and boxes (found, 4): left, top, right, bottom.
    """
    scores, labels = outputs.logits.softmax(-1)[..., :-1].max(-1)
    x, y, width, height = outputs.pred_boxes.unbind(-1)
    boxes = torch.stack([x - 0.5 * width, y - 0.5 * height, x + 0.5 * width, y + 0.5 * height], dim=-1)
    sizes = image_sizes(target_sizes, len(scores))
    if sizes is not None:
        scale = torch.tensor([[wide, tall, wide, tall] for tall, wide in sizes], dtype=boxes.dtype, device=boxes.device)
        boxes = boxes * scale[:, None]
    found = []
    for image in range(len(scores)):
        kept = scores[image] > threshold
        found.append({"scores": scores[image][kept], "labels": labels[image][kept], "boxes": boxes[image][kept]})
    return found


def image_sizes(target_sizes: Any, count: int) -> Sequence[tuple[int, int]] | None:
    """(height, width) of each image, from pairs or a tensor (N, 2).

    Raises:
        PreprocessorError: there are more or fewer than images, or they are no pairs.
    """
    if target_sizes is None:
        return None
    rows = target_sizes.tolist() if isinstance(target_sizes, Tensor) else list(target_sizes)
    if len(rows) != count:
        raise PreprocessorError(f"target_sizes has {len(rows)} sizes for {count} images")
    if any(len(row) != 2 for row in rows):
        raise PreprocessorError(f"target_sizes is {rows!r:.80}; it has a height and a width for each image")
    return [(int(tall), int(wide)) for tall, wide in rows]
