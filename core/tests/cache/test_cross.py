"""What a cache keeps of an encoder's output."""

import torch

from modelry.cache import Cache, GrowingLayerCache


def filled(rows):
    cache = Cache([GrowingLayerCache(), GrowingLayerCache()])
    keys = torch.arange(rows * 6.0).reshape(rows, 1, 3, 2)
    for layer in cache.cross_layers():
        layer.store(keys, -keys)
    for layer in cache:
        layer.extend(torch.zeros(rows, 1, 1, 2), torch.zeros(rows, 1, 1, 2))
    cache.advance(1)
    return cache, keys


def test_rows_are_kept():
    cache, keys = filled(3)
    for rows in ([0], [2, 0], [1, 1, 2, 2]):
        cache, keys = filled(3)
        cache.keep(torch.tensor(rows))
        for layer in cache.cross_layers():
            assert torch.equal(layer.keys, keys[rows])
            assert torch.equal(layer.values, -keys[rows])


def test_beams_of_one_text_move_nothing():
    cache, keys = filled(2)
    cache.keep(torch.tensor([0, 0, 1, 1]))
    before = cache.cross_layers()[0].keys
    cache.keep(torch.tensor([1, 0, 3, 3]))
    assert cache.cross_layers()[0].keys is before
    cache.keep(torch.tensor([3, 0, 1, 1]))
    assert torch.equal(cache.cross_layers()[0].keys, keys[[1, 0, 0, 0]])
    cache.keep(torch.tensor([0, 1]))
    assert torch.equal(cache.cross_layers()[1].keys, keys[[1, 0]])


def test_a_new_text_forgets_the_old_encoder():
    cache, _ = filled(2)
    assert cache.cross_layers()[0].keys is not None
    cache.rollback(1)
    assert cache.cross_layers()[0].keys is None
    assert cache.cross_layers()[0].values is None


def test_keep_before_anything_is_known():
    cache = Cache([GrowingLayerCache()])
    cache.cross_layers()
    cache.keep(torch.tensor([0, 0]))
    assert cache.cross_layers()[0].keys is None
