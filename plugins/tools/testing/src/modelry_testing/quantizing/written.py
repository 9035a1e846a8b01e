"""Checkpoints written as another tool writes them, and what a float model says with the weights they stand for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from modelry import AutoModelForCausalLM, PreTrainedModel
from modelry.packed import PackedLinear
from modelry_testing.errors import ContractBroken

NEAR = 1e-3


@dataclass
class Written:
    """A folder in some tool's layout, and by the name of each packed layer the (O, I) weight that it stands for."""

    folder: Path
    weights: dict[str, Tensor] = field(default_factory=dict)


def words_of_32_bits(rows: Sequence[Sequence[int]]) -> Tensor:
    """Fields put together by hand, as the signed integers that files hold."""
    return torch.tensor([[word - (1 << 32) if word >> 31 else word for word in row] for row in rows]).int()


@torch.no_grad()
def logits_with(folder: Path, weights: Mapping[str, Tensor], ids: Tensor) -> Tensor:
    """What the float model of `folder` says to `ids` (B, T) with other weights in some layers."""
    model = AutoModelForCausalLM.from_pretrained(folder)
    for name, weight in weights.items():
        model.get_parameter(f"{name}.weight").copy_(weight)
    logits: Tensor = model(input_ids=ids).logits
    return logits


@torch.no_grad()
def stands_for(model: PreTrainedModel, written: Written, *, expected: Tensor, ids: Tensor) -> None:
    """The packed layers are those that were written, their weights are exact, and prefill, one position and
    generating compute with them.

    Raises:
        ContractBroken: one of this does not hold.
    """
    packed = {name: part for name, part in model.named_modules() if isinstance(part, PackedLinear)}
    if packed.keys() != written.weights.keys():
        raise ContractBroken(f"packed layers and written ones differ: {sorted(packed.keys() ^ written.weights.keys())}")
    wrong = [name for name, layer in packed.items() if not torch.equal(layer.dequantized(), written.weights[name])]
    if wrong:
        raise ContractBroken(f"other weights than were written: {', '.join(wrong)}")
    for part in (ids, ids[:, :1]):
        found = model(input_ids=part).logits
        if not torch.allclose(found, expected[:, : part.shape[1]], rtol=NEAR, atol=NEAR):
            raise ContractBroken(f"{part.shape[1]} positions: other logits than the weights that were written give")
    new = model.generate(ids, max_new_tokens=4, do_sample=False, eos_token_id=None)
    assert isinstance(new, Tensor)
    if new.shape != (len(ids), ids.shape[1] + 4):
        raise ContractBroken(f"generate returns {tuple(new.shape)}")
