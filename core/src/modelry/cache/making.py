"""Making the cache that a configuration asks for, of one of the kinds there are."""

import weakref
from collections.abc import Callable, Mapping
from typing import Any

from modelry.cache.cache import Cache
from modelry.cache.growing import GrowingLayerCache
from modelry.cache.layer import LayerCache
from modelry.cache.offloaded import OffloadedLayerCache
from modelry.cache.quantized import QuantizedLayerCache
from modelry.cache.sliding import SlidingLayerCache
from modelry.cache.state import StateLayerCache
from modelry.cache.static import StaticLayerCache

SLIDING = "sliding_attention"
RECURRENT = "mamba"

PUBLISHED: Mapping[str, str] = {
    "dynamic_full": "full",
    "hybrid": "dynamic",
    "hybrid_chunked": "dynamic",
    "sliding_window": "dynamic",
    "offloaded_hybrid": "offloaded",
    "offloaded_hybrid_chunked": "offloaded",
}
"""The ecosystem's names of kinds that are ours by another name."""


def make_cache(config: Any, *, kind: str = "dynamic", **options: Any) -> Cache:
    """An empty cache with one layer for each of the decoder's.

    Args:
        config: the text model's `ModelConfig`: `num_hidden_layers`, or `num_decoder_layers` where an encoder stands
            beside the decoder, and where layers differ the fields `layer_types` and `sliding_window`.
        kind: what a layer remembers, and where:
            "dynamic": what that layer can still see, in blocks: a window where `layer_types` says
                "sliding_attention", a state where it says "mamba", everything elsewhere.
            "full": everything everywhere, so that any number of positions can be rolled back.
            "static": everything, in room taken at once; for compiled steps.
            "quantized": as dynamic, but 8 bits a value where no window bounds it.
            "offloaded": as dynamic, in the host's memory, each layer's brought to the device when its turn comes.
            "offloaded_static": static, in the host's memory.
            The ecosystem's other names (`PUBLISHED`) are understood.
        options: of static: max_cache_len, positions (default: max_position_embeddings). Of quantized:
            residual_length, newest positions kept in full precision; nbits, which must be 8.

    Raises:
        ValueError: no such kind or option, an impossible value, or a sliding layer without a window.
    """
    name = PUBLISHED.get(kind, kind)
    if name not in _KINDS:
        raise ValueError(
            f"no cache is called {kind!r}; there are {', '.join(map(repr, sorted({*_KINDS, *PUBLISHED})))}"
        )
    make, known = _KINDS[name]
    unknown = sorted(set(options).difference(known))  # dict_keys less a tuple: PyTorch 2.11 cannot trace it
    if unknown:
        raise ValueError(
            f"the cache {name!r} has no option {', '.join(map(repr, unknown))}; "
            f"it has {', '.join(map(repr, known)) if known else 'none'}"
        )
    decoder: int | None = getattr(config, "num_decoder_layers", None)
    layers: int = config.num_hidden_layers if decoder is None else decoder
    types = getattr(config, "layer_types", None) or [""] * layers  # of families whose layers differ
    if len(types) != layers:
        raise ValueError(f"layer_types names {len(types)} layers and num_hidden_layers is {layers}")
    if RECURRENT in types and name != "dynamic":
        raise ValueError(f"the cache {name!r} is none of recurrent layers, which keep a state: it must be 'dynamic'")
    return make(config, types, **options)


def _dynamic_layers(
    config: Any, types: list[str], everywhere: Callable[[], LayerCache] = GrowingLayerCache
) -> list[LayerCache]:
    """A window where layers slide, and what `everywhere` makes where they do not."""
    window: int | None = getattr(config, "sliding_window", None)
    if SLIDING in types and window is None:
        raise ValueError(f"layer_types has {SLIDING!r} layers and sliding_window is not set")
    found: list[LayerCache] = []
    for type_ in types:
        if type_ == RECURRENT:
            found.append(StateLayerCache())
        else:
            found.append(SlidingLayerCache(window) if type_ == SLIDING and window is not None else everywhere())
    return found


def _dynamic(config: Any, types: list[str]) -> Cache:
    return Cache(_dynamic_layers(config, types))


def _full(config: Any, types: list[str]) -> Cache:
    return Cache([GrowingLayerCache() for _ in types])


def _static(config: Any, types: list[str], max_cache_len: int | None = None) -> Cache:
    return Cache(_static_layers(config, types, max_cache_len))


def _static_layers(config: Any, types: list[str], capacity: int | None) -> list[LayerCache]:
    capacity = getattr(config, "max_position_embeddings", None) if capacity is None else capacity
    if capacity is None:
        raise ValueError("a static cache needs max_cache_len: the configuration has no max_position_embeddings")
    if isinstance(capacity, bool) or not isinstance(capacity, int):
        raise ValueError(f"max_cache_len={capacity!r} is not a whole number of positions")
    return [StaticLayerCache(capacity) for _ in types]


def _quantized(config: Any, types: list[str], residual_length: int | None = None, nbits: int = 8) -> Cache:
    if nbits != 8:
        raise ValueError(f"nbits={nbits}: a quantized cache keeps 8 bits a value, and has no other width")
    if residual_length is not None and (isinstance(residual_length, bool) or not isinstance(residual_length, int)):
        raise ValueError(f"residual_length={residual_length!r} is not a whole number of positions")
    options = {} if residual_length is None else {"newest": residual_length}
    return Cache(_dynamic_layers(config, types, lambda: QuantizedLayerCache(**options)))


def _offloaded(config: Any, types: list[str]) -> Cache:
    return _at_home(_dynamic_layers(config, types))


def _offloaded_static(config: Any, types: list[str], max_cache_len: int | None = None) -> Cache:
    return _at_home(_static_layers(config, types, max_cache_len))


def _at_home(homes: list[LayerCache]) -> Cache:
    layers = [OffloadedLayerCache(home) for home in homes]
    for layer, following in zip(layers, [*layers[1:], *layers[:1]], strict=True):
        layer.following = weakref.ref(following)
    return Cache(layers)


_KINDS: Mapping[str, tuple[Callable[..., Cache], tuple[str, ...]]] = {
    "dynamic": (_dynamic, ()),
    "full": (_full, ()),
    "static": (_static, ("max_cache_len",)),
    "quantized": (_quantized, ("residual_length", "nbits")),
    "offloaded": (_offloaded, ()),
    "offloaded_static": (_offloaded_static, ("max_cache_len",)),
}
"""Kind to what makes it and the options it has."""
