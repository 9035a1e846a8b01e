"""States: remembered when a pass is through, kept by rows, never rolled back."""

from types import SimpleNamespace

import pytest
import torch

from modelry.cache import StateLayerCache, make_cache


def test_what_a_failed_pass_wrote_is_forgotten() -> None:
    cache = StateLayerCache()
    assert cache.read(2) is None
    cache.write(torch.zeros(2, 3))
    assert cache.rows is None
    cache.advance(4)
    cache.write(torch.ones(2, 3))
    (state,) = cache.read(2) or ()
    cache.advance(0)
    assert torch.equal((cache.read(2) or ())[0], state)
    assert (cache.length, cache.rows, cache.width_after(3)) == (4, 2, 3)


def test_rows() -> None:
    cache = StateLayerCache()
    cache.write(torch.arange(3), torch.arange(3) + 10)
    cache.advance(1)
    cache.keep(torch.tensor([2, 0, 2, 1]))
    assert [one.tolist() for one in cache.read(4) or ()] == [[2, 0, 2, 1], [12, 10, 12, 11]]
    with pytest.raises(ValueError, match="holds 4 rows and the input has 3"):
        cache.read(3)


def test_no_way_back() -> None:
    cache = StateLayerCache()
    cache.write(torch.zeros(1))
    cache.advance(5)
    cache.rollback(0)
    with pytest.raises(ValueError, match="cannot roll back 2 positions: a recurrent state"):
        cache.rollback(2)
    with pytest.raises(ValueError, match="holds states, and no keys"):
        cache.extend(torch.zeros(1), torch.zeros(1))


def test_made_where_layers_are_recurrent() -> None:
    config = SimpleNamespace(num_hidden_layers=2, layer_types=["mamba", "full_attention"])
    cache = make_cache(config)
    assert isinstance(cache.layers[0], StateLayerCache)
    assert not isinstance(cache.layers[1], StateLayerCache)
    assert not cache.can_rollback
    with pytest.raises(ValueError, match="the cache 'static' is none of recurrent layers"):
        make_cache(config, kind="static", max_cache_len=8)
