"""Who sees whom: every mask that the kernel makes, held against the plain function.

B batch   T new positions   W keys offered
"""

from functools import partial

import torch
from torch import Tensor

from modelry.nn.masks import Mask, bidirectional_mask, causal_mask
from modelry_testing.attending.backend import HEADS, Backend, MakeMask

NEW = 7
LONG = 20
LEFT = torch.tensor([[0, 0, 0, 1, 1, 1, 1], [1] * NEW])
RIGHT = torch.tensor([[1, 1, 1, 1, 1, 0, 0], [1] * NEW])
TEXTS = torch.tensor([[1, 1, 1, 2, 2, 3, 3], [1, 2, 2, 2, 2, 0, 0]])


def masks(attention_mask: Tensor | None = None, **said: int | None) -> MakeMask:
    """Causal masks, of one padding on any device."""

    def make(device: torch.device) -> Mask:
        held = None if attention_mask is None else attention_mask.to(device)
        return causal_mask(held, device=device, **said)  # type: ignore[arg-type]  # numbers and None, by name

    return make


def causal(backend: Backend) -> None:
    for new in (NEW, LONG):
        given = backend.tensors(new, new, kv_heads=HEADS)
        backend.agrees(given, masks(new=new), what=f"causal attention of {new} positions")


def grouped(backend: Backend) -> None:
    for kv_heads, new in ((1, NEW), (2, LONG)):
        given = backend.tensors(new, new, kv_heads=kv_heads)
        backend.agrees(given, masks(new=new), what=f"{HEADS} query heads on {kv_heads} key/value heads")


def windows(backend: Backend) -> None:
    for window in (1, 3):
        what = f"a window of {window} positions"
        backend.agrees(backend.tensors(NEW, NEW), masks(new=NEW, window=window), what=what)
    later = masks(new=2, seen=5, width=NEW, window=3)
    backend.agrees(backend.tensors(2, NEW), later, what="a window of 3 positions behind 5 others")
    kept = masks(new=2, seen=9, first=4, width=12, window=3)  # a cache that has dropped what nobody sees again
    backend.agrees(backend.tensors(2, 12), kept, what="a window of 3 positions over a cache that begins at the fifth")


def caches(backend: Backend) -> None:
    for new, width in ((1, 10), (1, 64), (3, 12), (LONG, 64)):
        what = f"{new} new positions behind 9 others, in a cache with room for {width}"
        backend.agrees(backend.tensors(new, width), masks(new=new, seen=9, width=width), what=what)


def padding(backend: Backend) -> None:
    nothing = LEFT.clone()
    nothing[0] = 0
    given = backend.tensors(NEW, NEW)
    for where, real in (("on the left", LEFT), ("on the right", RIGHT), ("everywhere in a row", nothing)):
        backend.agrees(given, masks(real, new=NEW), what=f"padding {where}", read=real.bool())
    for new, width in ((1, 16), (2, NEW)):
        what = f"{new} new positions behind a padded prompt, in a cache with room for {width}"
        behind = masks(LEFT, new=new, seen=NEW - new, width=width)
        backend.agrees(backend.tensors(new, width), behind, what=what)


def packed(backend: Backend) -> None:
    for window in (None, 2):
        what = "texts one behind the other in a row" + (f", in a window of {window}" if window else "")
        backend.agrees(backend.tensors(NEW, NEW), masks(TEXTS, new=NEW, window=window), what=what, read=TEXTS.bool())


def both_ways(backend: Backend) -> None:
    backend.agrees(backend.tensors(3, NEW), lambda _: Mask(), what=f"3 queries that see {NEW} keys")
    for new, real in ((NEW, LEFT), (1, RIGHT)):
        make: MakeMask = partial(_both_ways, real)
        backend.agrees(backend.tensors(new, NEW), make, what=f"{new} queries that see padded keys from both sides")


def _both_ways(real: Tensor, device: torch.device) -> Mask:
    return bidirectional_mask(real.to(device))
