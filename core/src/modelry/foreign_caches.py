"""The cache that a call is given, where it comes from another package, or where a program is being exported."""

import inspect
from typing import TYPE_CHECKING, Any

from torch import nn

from modelry.nn.exporting import is_exporting

if TYPE_CHECKING:
    from modelry.cache import Cache


def with_own_cache(model: nn.Module, named: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call, the cache among them ours.

    A program that is being exported returns no cache where nobody speaks of one.

    Raises:
        TypeError: past_key_values is a plain tuple.
    """
    past = named.get("past_key_values")
    if past is not None:
        own = own_cache(past)
        return named if own is past else {**named, "past_key_values": own}
    if is_exporting() and named.get("use_cache") is None and _may_have_cache(model):
        return {**named, "use_cache": False}
    return named


def _may_have_cache(model: nn.Module) -> bool:
    """Whether forward takes use_cache; one that wraps another's may take anything, and hand it on."""
    forwards = (vars(one)["forward"] for one in type(model).__mro__ if "forward" in vars(one))
    return any("use_cache" in inspect.signature(forward).parameters for forward in forwards)


def own_cache(given: Any) -> "Cache | Any":
    """A cache with the keys and values of another package's, as learned prefixes come in; one of no such kind as it is.

    Raises:
        TypeError: it is a plain tuple.
    """
    if hasattr(given, "seen"):
        return given
    from modelry.cache import Cache, JoinedLayerCache

    if isinstance(given, tuple | list):
        raise TypeError("past_key_values is a tuple: give the Cache of an earlier result, or model.make_cache()")
    layers = getattr(given, "layers", None)
    held: list[tuple[Any, Any]] = [(getattr(one, "keys", None), getattr(one, "values", None)) for one in layers or ()]
    if not held or any(keys is None or values is None for keys, values in held):
        return given
    cache = Cache([JoinedLayerCache(keys, values) for keys, values in held])
    cache.seen = cache.layers[0].length
    return cache
