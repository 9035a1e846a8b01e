"""A configuration says which layers slide."""

import pytest

from modelry.cache import GrowingLayerCache, SlidingLayerCache, make_cache
from modelry.configuration import ModelConfig


class Config(ModelConfig):
    num_hidden_layers: int = 2
    layer_types: list[str] | None = None
    sliding_window: int | None = None


MIXED = Config(layer_types=["sliding_attention", "full_attention"], sliding_window=8)


def test_layers_follow_the_configuration() -> None:
    assert [type(layer) for layer in make_cache(Config())] == [GrowingLayerCache, GrowingLayerCache]
    assert [type(layer) for layer in make_cache(MIXED)] == [SlidingLayerCache, GrowingLayerCache]
    assert [type(layer) for layer in make_cache(MIXED, kind="full")] == [GrowingLayerCache, GrowingLayerCache]


def test_refusals() -> None:
    with pytest.raises(ValueError, match="no cache is called 'static'"):
        make_cache(Config(), kind="static")
    with pytest.raises(ValueError, match="sliding_window is not set"):
        make_cache(Config(layer_types=["sliding_attention", "full_attention"]))
    with pytest.raises(ValueError, match="names 1 layers and num_hidden_layers is 2"):
        make_cache(Config(layer_types=["full_attention"]))
