"""The loss without its scores against the loss of all scores: value and gradients."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from modelry.heads import chunked_loss
from modelry.heads.chunked_loss import can_be_chunked, chunked_next_token_loss
from modelry.heads.losses import next_token_loss
from modelry.nn.linear import Linear

WIDTH, WORDS = 8, 23


@pytest.fixture
def data() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, WORDS, (3, 7), generator=generator)
    labels[0, :4] = labels[2, 5:] = -100
    return torch.randn(3, 7, WIDTH, generator=generator), labels


def gradients(head: nn.Module, hidden: Tensor, loss: Any) -> list[Tensor | None]:
    given = hidden.clone().requires_grad_()
    head.zero_grad()
    value: Tensor = loss(head, given)
    torch.autograd.backward(value)
    return [value.detach(), given.grad, *(one.grad for one in head.parameters())]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("items", [None, 40, torch.tensor(40)])
@pytest.mark.parametrize("rows", [1, 4, 1000])
def test_value_and_gradients(
    data: tuple[Tensor, Tensor], bias: bool, items: Any, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunked_loss, "CHUNK", rows * 4 * WORDS)
    hidden, labels = data
    head = Linear(WIDTH, WORDS, bias=bias)
    known = {"num_items_in_batch": items}
    found = gradients(head, hidden, lambda head, x: 3 * chunked_next_token_loss(head, x, labels, **known))
    wanted = gradients(head, hidden, lambda head, x: 3 * next_token_loss(head(x), labels, **known))
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_in_sixteen_bits(data: tuple[Tensor, Tensor], dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model in bfloat16, and one in float32 under autocast."""
    monkeypatch.setattr(chunked_loss, "CHUNK", 5 * 4 * WORDS)
    hidden, labels = data
    head = Linear(WIDTH, WORDS).to(dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype is torch.float32):
        found = gradients(head, hidden.to(dtype), lambda head, x: chunked_next_token_loss(head, x, labels))
        wanted = gradients(head, hidden.to(dtype), lambda head, x: next_token_loss(head(x), labels))
    for one, other in zip(found, wanted, strict=True):
        assert one is not None
        assert other is not None
        assert one.dtype is other.dtype
        torch.testing.assert_close(one.float(), other.float(), atol=0.01, rtol=0.05)


def test_what_learns_nothing_gets_nothing(data: tuple[Tensor, Tensor]) -> None:
    hidden, labels = data
    head = Linear(WIDTH, WORDS, bias=False).requires_grad_(False)
    given = hidden.clone().requires_grad_()
    torch.autograd.backward(chunked_next_token_loss(head, given, labels))
    assert given.grad is not None
    assert head.weight.grad is None
    with torch.no_grad():
        torch.testing.assert_close(chunked_next_token_loss(head, hidden, labels), next_token_loss(head(hidden), labels))


def test_no_label_counts(data: tuple[Tensor, Tensor]) -> None:
    hidden, labels = data
    head = Linear(WIDTH, WORDS, bias=False)
    loss = chunked_next_token_loss(head, hidden, torch.full_like(labels, -100), num_items_in_batch=5)
    torch.autograd.backward(loss)
    assert loss == 0
    assert head.weight.grad is not None
    assert not head.weight.grad.any()
    assert chunked_next_token_loss(head, hidden, torch.full_like(labels, -100)).isnan()


@pytest.mark.parametrize("items", [0, torch.tensor(0)])
def test_a_share_of_nothing_is_no_number(data: tuple[Tensor, Tensor], items: Any) -> None:
    found = chunked_next_token_loss(Linear(WIDTH, WORDS), *data, num_items_in_batch=items)
    assert not found.isfinite()


def test_bad_labels(data: tuple[Tensor, Tensor]) -> None:
    hidden, labels = data
    head = Linear(WIDTH, WORDS, bias=False)
    with pytest.raises(ValueError, match="a label is 23"):
        chunked_next_token_loss(head, hidden, labels.clamp(min=WORDS))
    with pytest.raises(ValueError, match="give one label for each"):
        chunked_next_token_loss(head, hidden, labels[:, 1:])


def test_gradients_are_taken_once(data: tuple[Tensor, Tensor]) -> None:
    hidden, labels = data
    loss = chunked_next_token_loss(Linear(WIDTH, WORDS, bias=False), hidden, labels)
    torch.autograd.backward(loss, retain_graph=True)
    with pytest.raises(RuntimeError, match="taken already"):
        torch.autograd.backward(loss)


def test_heads_that_somebody_listens_to_give_all_scores() -> None:
    head = Linear(WIDTH, WORDS)
    assert can_be_chunked(head)
    handle = head.register_forward_hook(lambda *_: None)
    assert not can_be_chunked(head)
    handle.remove()
    assert can_be_chunked(head)
    assert not can_be_chunked(nn.Sequential(head))
    nn.utils.parametrizations.weight_norm(head)
    assert not can_be_chunked(head)
