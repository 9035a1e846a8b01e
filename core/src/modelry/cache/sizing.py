"""How much a cache takes, before it is made.

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

    Not counted: what a recurrent layer keeps (`state_bytes`), and keys and values of an encoder's output.

    Args:
        config: of the text model.
        positions: P, of the prompt and the answer; a layer that slides keeps its window.
        rows: R.
    """
    found = []
    for layer in make_cache(config).layers:
        if isinstance(layer, StateLayerCache):
            found.append(0)
            continue
        kept = min(positions, layer.window - 1 + BLOCK) if isinstance(layer, SlidingLayerCache) else positions
        found.append(2 * rows * kept * _values_of_one_position(config) * dtype.itemsize)
    return found


def state_bytes(model: Any, *, rows: int) -> list[int]:
    """Bytes of the states that each recurrent layer hands on, 0 of all others; they do not grow with the text.

    Args:
        model: on the meta device, with the dtypes it will have. Only its layers know what their states look like: a
            pass over one position, which computes nothing, shows them.
    """
    cache = model.make_cache()
    if any(isinstance(layer, StateLayerCache) for layer in cache.layers):
        with torch.no_grad():
            model(torch.zeros(rows, 1, dtype=torch.long, device="meta"), past_key_values=cache)
    return [layer.nbytes if isinstance(layer, StateLayerCache) else 0 for layer in cache.layers]


def _values_of_one_position(config: Any) -> int:
    heads: int = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    head: int | None = getattr(config, "head_dim", None) or getattr(config, "d_kv", None)
    return heads * (head or config.hidden_size // config.num_attention_heads)
