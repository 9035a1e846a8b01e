"""Key/value caches: what a decoder remembers between forward passes."""

from modelry.cache.cache import Cache
from modelry.cache.growing import GrowingLayerCache
from modelry.cache.layer import LayerCache
from modelry.cache.making import make_cache
from modelry.cache.sliding import SlidingLayerCache

__all__ = ["Cache", "GrowingLayerCache", "LayerCache", "SlidingLayerCache", "make_cache"]
