"""What is special about flash attention: what it refuses, and what a pass lays out once."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from modelry.nn.eager import eager_attention
from modelry.nn.masks import Mask, bidirectional_mask, causal_mask
from modelry_flash_attention_2 import flash_attention_2, flash_attention_3
from modelry_flash_attention_2.attending import FlashAttention
from modelry_flash_attention_2.kernel import Kernel

CPU = torch.device("cpu")
SECOND = FlashAttention(
    Kernel(name="flash_attention_2", module="flash_attn", drops=True, devices=("cpu",), dtypes=(torch.float32,))
)
HERE: dict[str, Any] = {"devices": ("cpu",), "dtypes": (torch.float32,)}
REAL = torch.tensor([[0, 0, 1, 1], [1, 1, 1, 1]])
ON_CPU = {"devices": ("cpu",), "drops": True, "module": "flash_attn"}


def tensors(new: int = 4, size: int = 8) -> tuple[Tensor, Tensor, Tensor]:
    make = torch.Generator().manual_seed(new)
    q, k, v = (torch.randn(2, 2, new, size, generator=make) for _ in range(3))
    return q, k, v


@pytest.mark.parametrize("attend", [flash_attention_2, flash_attention_3])
def test_a_cpu_is_refused(attend: FlashAttention) -> None:
    with pytest.raises(ValueError, match=rf"{attend.kernel.name} computes on cuda, and the queries are on cpu.*'sdpa'"):
        attend(*tensors(), Mask(), scale=1.0)


def test_float32_is_refused() -> None:
    attend = FlashAttention(Kernel(name="flash_attention_2", **ON_CPU))
    with pytest.raises(ValueError, match=r"in float16 or bfloat16, and the queries are float32: .*dtype='bfloat16'"):
        attend(*tensors(), Mask(), scale=1.0)


@pytest.mark.usefixtures("stand_in")
def test_under_autocast_its_dtype_is_taken() -> None:
    attend = FlashAttention(Kernel(name="flash_attention_2", **ON_CPU))
    with torch.autocast("cpu", torch.bfloat16):
        assert attend(*tensors(), Mask(), scale=1.0).dtype is torch.bfloat16


def test_wide_heads_are_refused() -> None:
    with pytest.raises(ValueError, match="heads up to a width of 256, and these have 264"):
        SECOND(*tensors(size=264), Mask(), scale=1.0)


def test_masks_that_it_cannot_follow_are_refused() -> None:
    own = torch.ones(1, 1, 4, 4, dtype=torch.bool)
    for mask, why in (
        (Mask(own), r"a pattern of its own, of shape \(1, 1, 4, 4\)"),
        (causal_mask(own, new=4, device=CPU), "a pattern of its own"),
        (bidirectional_mask(own), "a pattern of its own"),
        (Mask(bias=torch.zeros(1, 2, 4, 4)), "cannot add relative positions"),
        (Mask(weights=[]), "no attention weights to give.*'eager'"),
    ):
        with pytest.raises(ValueError, match=f"flash_attention_2.*{why}"):
            SECOND(*tensors(), mask, scale=1.0)


def test_the_third_generation_has_no_dropout() -> None:
    with pytest.raises(ValueError, match=r"flash_attention_3 cannot drop .* drops 0\.1 of them"):
        flash_attention_3(*tensors(), Mask(), scale=1.0, dropout=0.1)


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("width", [6, 12])
def test_the_third_generation_gets_heads_of_a_width_that_it_takes(width: int) -> None:
    attend = FlashAttention(replace(flash_attention_3.kernel, **HERE))
    read = REAL.bool()[:, None, :, None]
    q, k, v = (one.requires_grad_() for one in tensors(size=width))
    for mask in (Mask(causal=True), causal_mask(REAL, new=4, device=CPU)):
        found = attend(q, k, v, mask, scale=0.3)
        expected = eager_attention(q, k, v, mask, scale=0.3)
        torch.testing.assert_close(found * read, expected * read)
        ours, theirs = (torch.autograd.grad((one * read).square().sum(), (q, k, v)) for one in (found, expected))
        torch.testing.assert_close(ours, theirs)


@pytest.mark.usefixtures("stand_in")
def test_gradients_that_are_the_same_each_time() -> None:
    import flash_stand_in

    flash_stand_in.DETERMINISTIC.clear()
    masks = Mask(causal=True), causal_mask(REAL, new=4, device=CPU)
    for wanted in (False, True):
        torch.use_deterministic_algorithms(wanted)
        try:
            for kernel in (flash_attention_2.kernel, flash_attention_3.kernel):
                for mask in masks:
                    FlashAttention(replace(kernel, **HERE))(*tensors(), mask, scale=1.0)
        finally:
            torch.use_deterministic_algorithms(False)
    assert flash_stand_in.DETERMINISTIC == [False] * 4 + [True] * 4


@pytest.mark.usefixtures("stand_in")
def test_padding_in_the_middle_of_a_text() -> None:
    real = torch.tensor([[1, 0, 1, 1], [1, 1, 1, 1]])
    whole = causal_mask(real, new=4, device=CPU)
    found = SECOND(*tensors(), whole, scale=1.0)
    read = real.bool()[:, None, :, None]
    expected = eager_attention(*tensors(), causal_mask(real, new=4, device=CPU), scale=1.0)
    torch.testing.assert_close(found * read, expected * read)
    with pytest.raises(ValueError, match=r"padding in the middle of a text.* window of 2 positions"):
        SECOND(*tensors(), causal_mask(real, new=4, window=2, device=CPU), scale=1.0)


@pytest.mark.usefixtures("stand_in")
def test_pieces_of_a_text_find_together() -> None:
    texts = torch.tensor([[1, 2, 1, 2], [3, 3, 1, 0]])
    found = SECOND(*tensors(), causal_mask(texts, new=4, device=CPU), scale=1.0)
    read = texts.bool()[:, None, :, None]
    expected = eager_attention(*tensors(), causal_mask(texts, new=4, device=CPU), scale=1.0)
    torch.testing.assert_close(found * read, expected * read)
    assert not (found * ~read).any(), "zeros at padding"


def test_layers_share_what_is_laid_out(stand_in: list[str]) -> None:
    real = torch.tensor([[0, 0, 1, 1], [1, 1, 1, 1]])
    mask = causal_mask(real, new=4, device=CPU)
    for _ in range(3):
        SECOND(*tensors(), mask, scale=1.0)
    assert stand_in == ["ragged"] * 3
    (runs,) = mask._derived.values()
    assert runs.queries.tolist() == runs.keys.tolist() == [2, 3, 4, 5, 6, 7]
    assert runs.query_ends.tolist() == runs.key_ends.tolist() == [0, 2, 6]
    assert mask._allowed is None, "no table of every pair was made"


def test_whole_rows_are_left_as_they_lie(stand_in: list[str]) -> None:
    SECOND(*tensors(), causal_mask(torch.ones(2, 4), new=4, device=CPU), scale=1.0)
    SECOND(*tensors(), causal_mask(new=4, window=2, device=CPU), scale=1.0)
    assert stand_in == ["rectangular"] * 2
    mask = causal_mask(torch.tensor([[1, 1, 2, 2], [1, 2, 2, 2]]), new=4, device=CPU)
    SECOND(*tensors(), mask, scale=1.0)
    (runs,) = mask._derived.values()
    assert runs.queries is None
    assert runs.keys is None
    assert runs.key_ends.tolist() == [0, 2, 4, 5, 8]
