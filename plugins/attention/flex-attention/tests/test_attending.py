"""What is special about flex attention: what is made once, what it cannot do, and what transformers' says."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

from modelry import AutoModelForCausalLM
from modelry.nn.eager import eager_attention
from modelry.nn.masks import Mask, causal_mask
from modelry.nn.sdpa import sdpa_attention
from modelry_flex_attention import flex_attention
from modelry_flex_attention.blocks import blocks_of

CPU = torch.device("cpu")
IDS = torch.randint(1, 40, (2, 9), generator=torch.Generator().manual_seed(0))
REAL = torch.tensor([[0, 0, 0, 1, 1, 1, 1, 1, 1], [1] * 9])
SIZES = {
    "vocab_size": 40, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2,
}  # fmt: skip


def tensors(new: int = 9) -> tuple[Tensor, Tensor, Tensor]:
    make = torch.Generator().manual_seed(new)
    q, k, v = (torch.randn(2, 2, new, 8, generator=make) for _ in range(3))
    return q, k, v


def test_blocks_are_found_once_and_no_table_is_made() -> None:
    mask = causal_mask(REAL, new=9, window=3, device=CPU)
    for _ in range(3):
        flex_attention(*tensors(), mask, scale=1.0)
    assert len(mask._derived) == 1
    assert mask._allowed is None


def test_blocks_that_nobody_sees_are_left_out() -> None:
    long = torch.empty(1)
    whole = blocks_of(causal_mask(new=512, device=CPU), rows=1, new=512, width=512, like=long)
    windowed = blocks_of(causal_mask(new=512, window=64, device=CPU), rows=1, new=512, width=512, like=long)
    numbers = torch.arange(4).repeat_interleave(128)[None] + 1
    packed = blocks_of(causal_mask(numbers, new=512, device=CPU), rows=1, new=512, width=512, like=long)
    assert whole is not None
    assert windowed is not None
    assert packed is not None
    assert whole.to_dense().sum() == 10, "blocks of 128 by 128, on the diagonal and below"
    assert windowed.to_dense().sum() == 7
    assert packed.to_dense().sum() == 4
    assert blocks_of(Mask(), rows=1, new=512, width=512, like=long) is None


def test_a_bias_gets_its_gradient() -> None:
    found, expected = (torch.zeros(1, 2, 9, 9, requires_grad=True) for _ in range(2))
    for attend, bias in ((flex_attention, found), (sdpa_attention, expected)):
        attend(*tensors(), Mask(bias=bias), scale=1.0).square().sum().backward()
    torch.testing.assert_close(found.grad, expected.grad)


def test_capped_scores_get_gradients() -> None:
    q, k, v = tensors()
    q.requires_grad_()
    mask = causal_mask(new=9, device=CPU)
    found = flex_attention(q, k, v, mask, scale=1.0, softcap=0.5)
    (gradient,) = torch.autograd.grad(found.sum(), q)
    (expected,) = torch.autograd.grad(eager_attention(q, k, v, mask, scale=1.0, softcap=0.5).sum(), q)
    torch.testing.assert_close(gradient, expected)


def test_under_autocast_its_dtype_is_taken() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert flex_attention(*tensors(), Mask(), scale=1.0).dtype is torch.bfloat16


def test_what_it_does_not_do() -> None:
    with pytest.raises(ValueError, match=r"no attention weights to give.*'eager'"):
        flex_attention(*tensors(), Mask(weights=[]), scale=1.0)
    with pytest.raises(ValueError, match=r"cannot drop .* drops 0\.1 of them in training: set attention_dropout=0"):
        flex_attention(*tensors(), Mask(), scale=1.0, dropout=0.1)


def test_inside_of_a_compiled_program_of_the_cpu() -> None:
    """Inductor finds no way to compile masks of padding that are made in the same program."""
    made: list[str] = []

    def keep(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Any:
        made.append(graph.code)
        return graph.forward

    def attend(q: Tensor, k: Tensor, v: Tensor, real: Tensor) -> Tensor:
        return flex_attention(q, k, v, causal_mask(real, new=9, device=CPU), scale=1.0)

    with torch.no_grad():
        found = torch.compile(attend, backend=keep)(*tensors(), REAL)
    expected = sdpa_attention(*tensors(), causal_mask(REAL, new=9, device=CPU), scale=1.0)
    torch.testing.assert_close(found, expected)
    assert "flex" not in "".join(made)


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile", "ignore:_compile flag")
@pytest.mark.filterwarnings("ignore:.torch.jit.script_method.:DeprecationWarning")
@pytest.mark.parametrize(("kind", "more"), [("llama", {}), ("mistral", {"sliding_window": 4}), ("qwen2", {})])
def test_as_transformers_has_it(kind: str, more: dict, tmp_path: Path) -> None:
    """Held against its own flex attention, uncompiled: compiled it gives the same, after four seconds for each mask."""
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(kind, **SIZES, **more)
    theirs = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="flex_attention").eval()
    theirs.requires_grad_(False)
    theirs.save_pretrained(tmp_path)
    ours = AutoModelForCausalLM.from_pretrained(tmp_path, attn_implementation="flex_attention")
    positions = torch.cat([torch.arange(4), torch.arange(5)])[None].expand(2, -1)
    for said in ({}, {"attention_mask": REAL}, {"position_ids": positions}):
        with torch.no_grad(), torch.compiler.set_stance("force_eager"):
            expected = theirs(input_ids=IDS, use_cache=False, **said).logits
        with torch.no_grad():
            found = ours(input_ids=IDS, **said).logits
        read = REAL.bool() if "attention_mask" in said else torch.ones(2, 9, dtype=torch.bool)
        torch.testing.assert_close(found[read], expected[read], atol=1e-5, rtol=1e-5)
