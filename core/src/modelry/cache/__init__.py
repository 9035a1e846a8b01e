"""Key/value caches: what a decoder remembers between forward passes."""

from modelry.cache.cache import Cache
from modelry.cache.cross import CrossLayerCache
from modelry.cache.growing import GrowingLayerCache
from modelry.cache.joined import JoinedLayerCache
from modelry.cache.layer import LayerCache
from modelry.cache.making import make_cache
from modelry.cache.offloaded import OffloadedLayerCache
from modelry.cache.quantized import QuantizedLayerCache
from modelry.cache.sliding import SlidingLayerCache
from modelry.cache.state import StateLayerCache
from modelry.cache.static import StaticLayerCache

__all__ = [
    "Cache",
    "CrossLayerCache",
    "GrowingLayerCache",
    "JoinedLayerCache",
    "LayerCache",
    "OffloadedLayerCache",
    "QuantizedLayerCache",
    "SlidingLayerCache",
    "StateLayerCache",
    "StaticLayerCache",
    "make_cache",
]
