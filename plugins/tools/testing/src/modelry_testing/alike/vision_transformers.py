"""Models of `modelry.vision_transformer`: other sizes, and patches that nobody sees."""

from typing import Any

import pytest
import torch

from modelry.vision_transformer import VisionTransformer
from modelry_testing.errors import ContractBroken

SMALL: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": (16, 24),
    "patch_size": 8,
    "encoder_stride": 8,
}
"""A configuration of images of two by three patches."""


@torch.inference_mode()
def check_other_sizes(model: VisionTransformer, *, before: int) -> None:
    """Images of another size are refused, and taken where it is asked for.

    Args:
        model: of a configuration with the sizes of SMALL, in eval mode.
        before: tokens in front of the patches.

    Raises:
        ContractBroken: another number of tokens comes out.
    """
    with pytest.raises(ValueError, match="32 x 24 pixels"):
        model(torch.randn(1, 3, 32, 24))
    found = model(torch.randn(1, 3, 32, 25), interpolate_pos_encoding=True).last_hidden_state
    assert found is not None
    if found.shape != (1, before + 4 * 3, 16):
        raise ContractBroken(f"an image of 4 by 3 patches gives {tuple(found.shape)}")


@torch.inference_mode()
def check_masked_patches(model: Any) -> None:
    """What lies under a mask changes the loss, and not the picture that is filled in.

    Args:
        model: of masked image modeling, of SMALL, in eval mode.

    Raises:
        ContractBroken: a masked patch is seen, or the loss does not look at it.
    """
    one = torch.randn(1, 3, 16, 24)
    other = one.clone()
    other[..., :8, :8] = 0
    mask = torch.tensor([[True, False, False, False, False, False]])
    first, second = (model(image, bool_masked_pos=mask) for image in (one, other))
    if first.reconstruction.shape != one.shape or not first.reconstruction.equal(second.reconstruction):
        raise ContractBroken(f"{type(model).__name__} sees a masked patch")
    if first.loss.equal(second.loss):
        raise ContractBroken(f"the loss of {type(model).__name__} does not look at the masked patch")
