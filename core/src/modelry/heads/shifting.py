"""What a decoder reads while it learns to write an answer: the answer, moved to the right.

B batch   T positions
"""

import torch
from torch import Tensor

from modelry.heads.losses import IGNORED


def shift_right(ids: Tensor, *, start: int, padding: int) -> Tensor:
    """Begin with the start token; the last token falls out.

    Args:
        ids: (B, T), labels at -100 included.
        start: id that answers begin with (`decoder_start_token_id`).
        padding: id in place of -100.

    Returns:
        (B, T).
    """
    begun = torch.full_like(ids[:, :1], start)
    moved = torch.cat((begun, ids[:, :-1]), dim=1)
    return torch.where(moved == IGNORED, padding, moved)


def wrap_right(ids: Tensor, *, padding: int) -> Tensor:
    """Begin with each row's last real token, which is a language's in models that end their texts with it.

    Args:
        ids: (B, T), labels at -100 included.
        padding: id of padding, and in place of -100.

    Returns:
        (B, T).
    """
    ids = torch.where(ids == IGNORED, padding, ids)
    last = (ids != padding).sum(-1, keepdim=True) - 1
    return torch.cat((ids.gather(1, last.clamp(min=0)), ids[:, :-1]), dim=1)
