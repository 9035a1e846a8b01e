"""Making the cache that a configuration asks for."""

from typing import Any

from modelry.cache.cache import Cache
from modelry.cache.growing import GrowingLayerCache
from modelry.cache.sliding import SlidingLayerCache

SLIDING = "sliding_attention"


def make_cache(config: Any, *, kind: str = "dynamic") -> Cache:
    """An empty cache with one layer for each of the decoder's.

    Args:
        config: the text model's `ModelConfig`: `num_hidden_layers`, and where layers differ the fields `layer_types`
            and `sliding_window`.
        kind: "dynamic" remembers in each layer what that layer can still see: a window where `layer_types` says
            "sliding_attention", everything elsewhere. "full" remembers everything everywhere, so that any number of
            positions can be rolled back.

    Raises:
        ValueError: no such kind, or a sliding layer without a window.
    """
    if kind not in ("dynamic", "full"):
        raise ValueError(f"no cache is called {kind!r}; there are 'dynamic' and 'full'")
    layers: int = config.num_hidden_layers
    types = config.__dict__.get("layer_types") or [""] * layers  # a field of families whose layers differ
    if len(types) != layers:
        raise ValueError(f"layer_types names {len(types)} layers and num_hidden_layers is {layers}")
    if kind == "full" or SLIDING not in types:
        return Cache([GrowingLayerCache() for _ in types])
    window: int | None = config.sliding_window
    if window is None:
        raise ValueError(f"layer_types has {SLIDING!r} layers and sliding_window is not set")
    return Cache([SlidingLayerCache(window) if type_ == SLIDING else GrowingLayerCache() for type_ in types])
