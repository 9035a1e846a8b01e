"""What a function may do or refuse: biases, patterns, weights, dropout, capped scores; and what it never may.

B batch   T new positions   W keys offered   H query heads
"""

from contextlib import suppress

import torch
from torch import Tensor

from modelry.nn.masks import Mask, causal_mask
from modelry_testing.attending.backend import HEADS, SCALE, Backend, MakeMask, plain
from modelry_testing.attending.seeing import LEFT, NEW, TEXTS, masks
from modelry_testing.errors import ContractBroken


def biases(backend: Backend) -> None:
    make = torch.Generator().manual_seed(3)
    bias = torch.randn(1, HEADS, NEW, NEW, generator=make)
    bias[:, :, :, -1] = float("-inf")
    _done_or_refused(
        backend,
        lambda device: Mask(bias=bias.to(device)),
        able=backend.spec.biases,
        declared="biases",
        what="relative positions added to the scores",
    )


def patterns(backend: Backend) -> None:
    own = torch.rand(2, 1, NEW, NEW, generator=torch.Generator().manual_seed(4)) > 0.5
    own |= torch.eye(NEW, dtype=torch.bool)
    _done_or_refused(
        backend,
        lambda device: Mask(own.to(device)),
        able=backend.spec.patterns,
        declared="patterns",
        what="a pattern of one's own",
    )


def _done_or_refused(backend: Backend, make: MakeMask, *, able: bool, declared: str, what: str) -> None:
    given = backend.tensors(NEW, NEW, kv_heads=HEADS)
    if able:
        backend.agrees(given, make, what=what)
        return
    try:
        backend(given, make(backend.device))
    except ValueError:
        return
    raise ContractBroken(f"{what}: it declares {declared}=False, and computes something instead of a ValueError")


def weights(backend: Backend) -> None:
    given = backend.tensors(NEW, NEW)
    found: list[Tensor] = []
    expected: list[Tensor] = []
    mask = causal_mask(new=NEW, device=backend.device, weights=found)
    if not backend.spec.weights:
        with suppress(ValueError):
            backend(given, mask)
            raise ContractBroken("weights are wanted and not declared (weights=True): it has to raise a ValueError")
        return
    backend(given, mask)
    plain(given, causal_mask(new=NEW, device=backend.device, weights=expected))
    if len(found) != 1:
        raise ContractBroken(f"it declares weights=True, and appended {len(found)} tensors to mask.weights, not one")
    backend.same(found[0], expected[0], what="the weights")


def softcap(backend: Backend) -> None:
    with suppress(ValueError):
        backend.agrees(backend.tensors(NEW, NEW), masks(new=NEW), what="scores capped at 0.7", softcap=0.7)


def dropout(backend: Backend) -> None:
    given = backend.tensors(40, 40)
    torch.manual_seed(0)
    try:
        found = backend(given, Mask(), dropout=0.5)
    except ValueError:
        return
    if torch.allclose(found.float(), plain(given, Mask()), atol=backend.tolerance):
        raise ContractBroken("dropout=0.5 changes nothing: it has to drop weights, or to raise a ValueError")


def gradients(backend: Backend) -> None:
    """Of queries, keys and values, for what is read."""
    for what, said in (("causal attention", None), ("padding", LEFT), ("texts in one row", TEXTS)):
        own = [one.detach().requires_grad_() for one in backend.tensors(NEW, NEW)]
        other = [one.detach().float().requires_grad_() for one in own]
        read = torch.ones(2, NEW) if said is None else said.bool().float()
        read = read.to(backend.device)[:, None, :, None]
        make = masks(said, new=NEW)
        found = backend((own[0], own[1], own[2]), make(backend.device))
        if not found.requires_grad:
            raise ContractBroken(f"{what}: the result has no gradient")
        wanted = plain((other[0], other[1], other[2]), make(backend.device))
        reached = torch.autograd.grad((found.float() * read).square().sum(), own, allow_unused=True)
        expected = torch.autograd.grad((wanted * read).square().sum(), other)
        for name, one, right in zip(("queries", "keys", "values"), reached, expected, strict=True):
            if one is None:
                raise ContractBroken(f"{what}: no gradient reaches the {name}")
            far = float((one.float() - right).abs().max())
            if far > 20 * backend.tolerance:
                raise ContractBroken(f"{what}: the gradient of the {name} is {far:.2g} off the plain one")


def shared(backend: Backend) -> None:
    """Layers share a mask: the second gets its own result, and what the first was given stays as it was."""
    for attention_mask in (LEFT, TEXTS):
        mask = masks(attention_mask, new=NEW)(backend.device)
        for seed in (1, 2):
            given = backend.tensors(NEW, NEW, seed=seed)
            before = [one.clone() for one in given]
            with torch.no_grad():
                found = backend(given, mask)
                expected = plain((before[0], before[1], before[2]), masks(attention_mask, new=NEW)(backend.device))
            backend.same(found, expected, what=f"layer {seed} of two that share a mask", read=attention_mask.bool())
            if not all(torch.equal(one, other) for one, other in zip(given, before, strict=True)):
                raise ContractBroken("it changes the queries, keys or values that it is given")


def bfloat16(backend: Backend) -> None:
    q, k, v = (one.bfloat16() for one in backend.tensors(NEW, NEW))
    expected = plain((q, k, v), masks(new=NEW)(backend.device))
    found = backend.attend(q, k, v, masks(new=NEW)(backend.device), scale=SCALE)
    if found.dtype is not torch.bfloat16:
        raise ContractBroken(f"in bfloat16 it returns {found.dtype}")
    far = float((found.float() - expected).abs().max())
    if far > 3e-2:
        raise ContractBroken(f"in bfloat16 the result is {far:.2g} off the plain one in float32")
