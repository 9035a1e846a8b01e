"""Cutting pictures into patches, in the order in which the model reads them.

T frames   C channels   H, W height and width   N patches
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from modelry.errors import PreprocessorError
from modelry.preprocessing.features import BatchFeature
from modelry_qwen2_vl.parameters import Qwen2VLImageParameters, Qwen2VLVideoParameters

if TYPE_CHECKING:
    import numpy as np


def cut(
    frames: "np.ndarray", parameters: Qwen2VLImageParameters | Qwen2VLVideoParameters, name: str
) -> "tuple[np.ndarray, list[int]]":
    """Patches of one picture; the patches of a square that becomes one token lie one behind the other.

    Args:
        frames: (T, C, H, W); the last one is repeated until a patch has all that it spans. An image is one frame.
        name: for the error.

    Returns:
        (N, values of a patch), and the grid: frames, rows and columns of patches.

    Raises:
        PreprocessorError: the edges are no multiples of a square's.
    """
    import numpy as np

    side, merge, span = parameters.patch_size, parameters.merge_size, parameters.temporal_patch_size
    height, width = frames.shape[2:]
    if height % (side * merge) or width % (side * merge):
        raise PreprocessorError(
            f"{name} has {height} × {width} pixels, and edges are multiples of patch_size times merge_size, "
            f"{side * merge}: leave do_resize on, or resize it so"
        )
    missing = -len(frames) % span
    if missing:
        frames = np.concatenate((frames, np.repeat(frames[-1:], missing, axis=0)))
    grid = [len(frames) // span, height // side, width // side]
    apart = frames.reshape(
        grid[0], span, frames.shape[1], grid[1] // merge, merge, side, grid[2] // merge, merge, side
    )  # fmt: skip
    ordered = apart.transpose(0, 3, 6, 4, 7, 2, 1, 5, 8)
    return ordered.reshape(grid[0] * grid[1] * grid[2], -1), grid


def gathered(
    pictures: "Sequence[tuple[np.ndarray, list[int]]]", names: Mapping[str, str], return_tensors: str | None
) -> BatchFeature:
    """Patches and grids of all pictures: one behind the other, or a list with those of each where no tensors are asked.

    Args:
        names: "values" and "grid" to what the model calls them.
    """
    import numpy as np

    values: Any = [patches for patches, _ in pictures]
    grids = [grid for _, grid in pictures]
    if return_tensors is not None:
        values = np.concatenate(values)
    return BatchFeature({names["values"]: values, names["grid"]: grids}, tensor_type=return_tensors)
