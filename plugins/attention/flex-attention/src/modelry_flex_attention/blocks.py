"""From a mask to the blocks that flex attention computes; those that nobody sees are left out.

B batch   T new positions   W keys offered
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask

from modelry.nn.masks import Mask
from modelry.nn.sight import Sight
from modelry_flex_attention.compiling import compiled


def blocks_of(mask: Mask, *, rows: int, new: int, width: int, like: Tensor) -> BlockMask | None:
    """The blocks of a pass, for all of its layers; None where everybody sees everything.

    Args:
        rows: B.
        new: T.
        width: W.
        like: a tensor of the pass, for its device.
    """
    if mask.causal:
        return _made(_causal, None, new, width, like)
    if mask.sight is not None:
        alone = mask.sight.texts is None
        return _made(_by_sight(mask.sight, rows), None if alone else rows, new, width, like)
    if mask.allowed is not None:
        table = mask.allowed.expand(rows, 1, new, width)
        return _made(lambda row, head, query, key: table[row, 0, query, key], rows, new, width, like)
    return None


def _causal(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
    return key <= query


def _by_sight(sight: Sight, rows: int) -> Any:
    held = sight.columns()
    columns = None if held is None else held.expand(rows, -1)
    texts = None if sight.texts is None or not sight.several else sight.texts.expand(rows, -1)
    # Tensors, so that a compiled program serves every step of a text that grows.
    seen, first = (torch.tensor(slot, device=sight.device) for slot in (sight.seen, sight.first))

    def sees(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        text = None if columns is None else columns[row, key]
        own = None if texts is None else texts[row, query + seen]
        return sight.sees(query + seen, key + first, text, own)

    return sees


def _made(sees: Any, rows: int | None, new: int, width: int, like: Tensor) -> BlockMask:
    plain = like.is_cpu or torch.compiler.is_compiling()
    make = create_block_mask if plain else _compiled()  # uncompiled, a table of every pair is made first
    found: BlockMask = make(sees, rows, None, new, width, device=like.device)
    return found


@cache
def _compiled() -> Callable[..., BlockMask]:
    return compiled(create_block_mask)
