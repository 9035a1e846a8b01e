"""How much a key/value cache takes, from a configuration alone.

R rows   P positions   K key/value heads   E head width
"""

from typing import Any

import torch

from modelry.cache.buffers import BLOCK
from modelry.cache.making import make_cache
from modelry.cache.sliding import SlidingLayerCache
from modelry.cache.state import StateLayerCache


def cache_bytes(config: Any, *, positions: int, rows: int, dtype: torch.dtype) -> list[int]:
    """Bytes of the keys and values that each decoder layer remembers.

    Not counted: what a recurrent layer keeps, which does not grow, and keys and values of an encoder's output.

    Args:
        config: of the text model.
        positions: P, of the prompt and the answer; a layer that slides keeps its window.
        rows: R.
    """
    heads: int = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    head: int | None = getattr(config, "head_dim", None) or getattr(config, "d_kv", None)
    width = head or config.hidden_size // config.num_attention_heads
    of_one_position = 2 * rows * heads * width * dtype.itemsize
    found = []
    for layer in make_cache(config).layers:
        kept = min(positions, layer.window - 1 + BLOCK) if isinstance(layer, SlidingLayerCache) else positions
        found.append(0 if isinstance(layer, StateLayerCache) else kept * of_one_position)
    return found
