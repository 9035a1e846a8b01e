"""A configuration says which layers slide, and a name what the others keep."""

import pytest

from modelry.cache import (
    GrowingLayerCache,
    OffloadedLayerCache,
    QuantizedLayerCache,
    SlidingLayerCache,
    StaticLayerCache,
    make_cache,
)
from modelry.cache.making import PUBLISHED
from modelry.configuration import ModelConfig


class Config(ModelConfig):
    num_hidden_layers: int = 2
    layer_types: list[str] | None = None
    sliding_window: int | None = None
    max_position_embeddings: int | None = 100


MIXED = Config(layer_types=["sliding_attention", "full_attention"], sliding_window=8)


@pytest.mark.parametrize(
    ("kind", "plain", "mixed"),
    [
        ("dynamic", GrowingLayerCache, [SlidingLayerCache, GrowingLayerCache]),
        ("full", GrowingLayerCache, [GrowingLayerCache, GrowingLayerCache]),
        ("static", StaticLayerCache, [StaticLayerCache, StaticLayerCache]),
        ("quantized", QuantizedLayerCache, [SlidingLayerCache, QuantizedLayerCache]),
    ],
)
def test_layers_follow_the_configuration(kind: str, plain: type, mixed: list[type]) -> None:
    assert [type(layer) for layer in make_cache(Config(), kind=kind)] == [plain, plain]
    assert [type(layer) for layer in make_cache(MIXED, kind=kind)] == mixed


def test_offloaded_layers_have_a_home_and_a_next() -> None:
    for kind, homes in (
        ("offloaded", [SlidingLayerCache, GrowingLayerCache]),
        ("offloaded_static", [StaticLayerCache, StaticLayerCache]),
    ):
        first, second = layers = make_cache(MIXED, kind=kind).layers
        assert isinstance(first, OffloadedLayerCache)
        assert isinstance(second, OffloadedLayerCache)
        assert [type(layer.home) for layer in layers] == homes
        assert first.following is not None
        assert second.following is not None
        assert (first.following(), second.following()) == (second, first)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_names(name: str) -> None:
    assert len(make_cache(MIXED, kind=name)) == 2


def test_options() -> None:
    assert [layer.capacity for layer in make_cache(Config(), kind="static")] == [100, 100]
    assert [layer.capacity for layer in make_cache(Config(), kind="static", max_cache_len=7)] == [7, 7]
    layer = make_cache(Config(), kind="quantized", residual_length=3, nbits=8).layers[0]
    assert isinstance(layer, QuantizedLayerCache)
    assert layer.newest == 3


@pytest.mark.parametrize(
    ("config", "options", "message"),
    [
        (Config(), {"kind": "elastic"}, "no cache is called 'elastic'; there are 'dynamic', .*'quantized'.*'static'"),
        (Config(), {"kind": "dynamic", "nbits": 8}, "the cache 'dynamic' has no option 'nbits'; it has none"),
        (Config(), {"kind": "quantized", "backend": "x"}, "no option 'backend'; it has 'residual_length', 'nbits'"),
        (Config(), {"kind": "quantized", "nbits": 4}, "nbits=4: a quantized cache keeps 8 bits"),
        (Config(), {"kind": "quantized", "residual_length": -1}, "residual_length=-1: .* cannot be negative"),
        (Config(), {"kind": "quantized", "residual_length": 2.5}, "residual_length=2.5 is not a whole number"),
        (Config(), {"kind": "static", "max_cache_len": 0}, "a static cache of 0 positions"),
        (Config(), {"kind": "static", "max_cache_len": "9"}, "max_cache_len='9' is not a whole number"),
        (Config(max_position_embeddings=None), {"kind": "static"}, "needs max_cache_len"),
        (Config(layer_types=["sliding_attention", "full_attention"]), {}, "sliding_window is not set"),
        (Config(layer_types=["full_attention"]), {}, "names 1 layers and num_hidden_layers is 2"),
    ],
)
def test_refusals(config: Config, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_cache(config, **options)  # type: ignore[arg-type]
