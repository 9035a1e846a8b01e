"""Gradients on a GPU that is none. PyTorch's engine asks a driver for streams before it runs a node; here the nodes of
its graph are run one after the other, each with PyTorch's own formula, so that what meets in them is looked at.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction

from modelry_testing.pretending.tensors import DeviceTensor

_PASSES = count(1)
ENGINE: Callable[..., None] = torch.autograd.backward


def backward(tensors: Any, grad_tensors: Any = None, *more: Any, **named: Any) -> None:
    """`torch.autograd.backward`, where the tensors lie on a device that is none.

    Raises:
        NotImplementedError: gradients of gradients, or of some tensors only.
    """
    roots = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    if not any(isinstance(one, DeviceTensor) for one in roots):
        ENGINE(tensors, grad_tensors, *more, **named)
        return
    if named.get("create_graph") or named.get("inputs"):
        raise NotImplementedError("a GPU that is none computes the gradients of all leaves, and no graph of them")
    given = grad_tensors if isinstance(grad_tensors, Sequence) else [grad_tensors] * len(roots)
    waiting: dict[Any, list[Tensor | None]] = {}
    number = next(_PASSES)  # by which layers that are computed again know that they have been
    with torch.no_grad(), mock.patch.object(torch._C, "_current_graph_task_id", return_value=number):
        for one, grad in zip(roots, given, strict=True):
            _add(waiting, one.grad_fn, one.output_nr, torch.ones_like(one) if grad is None else grad)
        _run(waiting)


def _run(waiting: dict[Any, list[Tensor | None]]) -> None:
    """Run every node when all that reads what it made has been run."""
    missing = _readers(waiting)
    ready = [node for node in waiting if not missing[node]]
    while ready:
        node = ready.pop()
        grads = waiting.pop(node, None)
        edges = node.next_functions
        found = [None] * len(edges) if grads is None else _grads_of(node, grads)
        for (after, place), grad in zip(edges, found, strict=False):
            if after is None:
                continue
            if grad is not None:
                _add(waiting, after, place, grad)
            missing[after] -= 1
            if not missing[after]:
                ready.append(after)


def _readers(roots: Any) -> Counter[Any]:
    """How many edges lead to each node that the roots come from."""
    found: Counter[Any] = Counter()
    seen, new = set(roots), list(roots)
    while new:
        for after, _ in new.pop().next_functions:
            if after is not None:
                found[after] += 1
                if after not in seen:
                    seen.add(after)
                    new.append(after)
    return found


def _grads_of(node: Any, grads: list[Tensor | None]) -> list[Tensor | None]:
    """What a node makes of the gradients of its results: one for each edge."""
    if node.name().endswith("AccumulateGrad"):
        _accumulate(node.variable, grads[0])
        return []
    if not isinstance(node, BackwardCFunction):
        made = node(*grads)
        return list(made) if isinstance(made, tuple) else [made]
    function: Any = node
    whole = [_zeros(about) if one is None else one for about, one in zip(function._input_metadata, grads, strict=True)]
    found = function.apply(*whole)
    returned = found if isinstance(found, tuple) else (found,)
    wanted = iter([one for one, needed in zip(returned, function.needs_input_grad, strict=False) if needed])
    return [None if after is None else next(wanted) for after, _ in function.next_functions]


def _accumulate(leaf: Tensor, grad: Tensor | None) -> None:
    if grad is not None:
        for hook in (leaf._backward_hooks or {}).values():
            changed = hook(grad)
            grad = grad if changed is None else changed
        leaf.grad = grad.detach() if leaf.grad is None else leaf.grad + grad


def _add(waiting: dict[Any, list[Tensor | None]], node: Any, place: int, grad: Tensor) -> None:
    """Give a node a gradient, in the shape and dtype of what it is of: the engine sums what was spread."""
    about = node._input_metadata[place]
    if tuple(grad.shape) != tuple(about.shape):
        grad = grad.sum_to_size(about.shape)
    if grad.device != about.device:
        raise RuntimeError(f"{node.name()}: a gradient on {grad.device} of what lies on {about.device}")
    grads = waiting.setdefault(node, [None] * len(node._input_metadata))
    before = grads[place]
    grads[place] = grad.to(about.dtype) if before is None else before + grad.to(about.dtype)


def _zeros(about: Any) -> Tensor:
    return torch.zeros(tuple(about.shape), dtype=about.dtype, device=about.device)
