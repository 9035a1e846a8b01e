"""A float model packed while it loads: what stays, what is named, and other classes reading the result."""

from pathlib import Path

import pytest
import torch

from modelry import AutoModel, AutoModelForCausalLM
from modelry.errors import ModelryWarning
from modelry.packed.zero_point_linear import ZeroPointLinear


def names(model: torch.nn.Module) -> set[str]:
    return {name for name, part in model.named_modules() if isinstance(part, ZeroPointLinear)}


def test_layers_that_do_not_fit_stay_and_are_named_once(folder: Path, tmp_path: Path) -> None:
    how = {"quant_method": "gptq", "group_size": 96}  # a row of 64 is one group; down_proj has 128
    with pytest.warns(
        ModelryWarning, match=r"group_size 96 .* stay as they are: model\.layers\.\*\.mlp\.down_proj"
    ) as all_:
        model = AutoModelForCausalLM.from_pretrained(folder, quantization=how)
    assert len(all_) == 1
    assert len(names(model)) == 6
    model.save_pretrained(tmp_path / "packed")
    assert names(AutoModelForCausalLM.from_pretrained(tmp_path / "packed")) == names(model)


def test_the_head_too(folder: Path, tmp_path: Path, ids: torch.Tensor) -> None:
    how = {"quant_method": "gptq", "group_size": 64, "lm_head": True}
    model = AutoModelForCausalLM.from_pretrained(folder, quantization=how)
    assert "lm_head" in names(model)
    model.save_pretrained(tmp_path / "packed", max_shard_size="20KB")
    assert len(list((tmp_path / "packed").glob("model-*.safetensors"))) > 1
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "packed")
    base = AutoModel.from_pretrained(tmp_path / "packed")
    with torch.no_grad():
        assert torch.equal(again(input_ids=ids).logits, model(input_ids=ids).logits)
        hidden = base(input_ids=ids).last_hidden_state
        assert torch.equal(again.lm_head(hidden), again(input_ids=ids).logits)


@pytest.mark.parametrize("sym", [True, False])
def test_zero_points_that_every_reader_understands(folder: Path, sym: bool) -> None:
    """Some readers take the largest stored value of the first format for 16 and not for 0: it is not written."""
    how = {"quant_method": "gptq", "group_size": 32, "sym": sym}
    for name, one in AutoModelForCausalLM.from_pretrained(folder, quantization=how).state_dict().items():
        if name.endswith("qzeros"):
            fields = (one.unsqueeze(-1) >> torch.arange(0, 32, 4)) & 15
            assert (fields == 7).all() if sym else (fields < 15).all()
