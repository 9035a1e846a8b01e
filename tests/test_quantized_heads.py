"""A checkpoint is packed or read into a model that has a part more: that is made anew, and not packed."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch

from modelry import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
)
from modelry.packed import PackedLinear
from modelry_registry import get_registry
from modelry_testing.quantizing.keeping import same_bits
from modelry_testing.random_models import SMALL

GROUPS = {"num_bits": 4, "group_size": 32}
SCHEMES: list[dict[str, Any]] = [
    {"quant_method": "int8"},
    {"quant_method": "int4"},
    {"quant_method": "gguf", "weight_type": "Q8_0"},
    {"quant_method": "fp8"},
    {"quant_method": "gptq", "group_size": 32},
    {"quant_method": "awq", "group_size": 32},
    {"quant_method": "compressed-tensors", "config_groups": {"group_0": {"targets": ["Linear"], "weights": GROUPS}}},
]
PACKING_HEADS: list[dict[str, Any]] = [
    {"quant_method": "int8", "modules_to_not_convert": []},
    {"quant_method": "fp8", "modules_to_not_convert": []},
    {"quant_method": "gptq", "group_size": 32, "lm_head": True},
    {"quant_method": "torchao", "quant_type": "int8_weight_only", "modules_to_not_convert": []},
    {"quant_method": "bitsandbytes", "load_in_8bit": True, "llm_int8_skip_modules": []},
]


@pytest.mark.filterwarnings("ignore::modelry.errors.ModelryWarning")  # of what is made anew, and that fp8 is not fast
@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda one: one["quant_method"])
def test_a_pooler_that_the_file_lacks(scheme: dict[str, Any], tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = AutoConfig.for_model("bert", **SMALL | {"num_hidden_layers": 1})
    AutoModelForMaskedLM.from_config(config).save_pretrained(tmp_path / "float")
    packed = AutoModelForMaskedLM.from_pretrained(tmp_path / "float", quantization=scheme)
    packed.save_pretrained(tmp_path / "packed")
    made = AutoModel.from_pretrained(tmp_path / "float", quantization=scheme)
    read = AutoModel.from_pretrained(tmp_path / "packed")
    for model in (made, read):
        assert model.pooler.dense.weight.dtype == torch.float32
        assert model.pooler.dense.weight.std() > 0
        assert sum(isinstance(part, PackedLinear) for part in model.modules()) == 6
        assert model(torch.tensor([[1, 2]])).pooler_output.isfinite().all()
        deepcopy(model).save_pretrained(tmp_path / "again")
        same_bits(model, AutoModel.from_pretrained(tmp_path / "again"))


def test_a_packed_head_that_files_call_otherwise(tmp_path: Path) -> None:
    """All of its tensors are under the file's name, so that a model without the head passes over them."""
    config = AutoConfig.for_model(**get_registry().get("models", "llava").tiny)
    AutoModelForImageTextToText.from_config(config).save_pretrained(tmp_path / "float")
    scheme = {"quant_method": "int8", "modules_to_not_convert": []}
    packed = AutoModelForImageTextToText.from_pretrained(tmp_path / "float", quantization=scheme)
    assert isinstance(packed.lm_head, PackedLinear)
    packed.save_pretrained(tmp_path / "packed")
    same_bits(packed, AutoModelForImageTextToText.from_pretrained(tmp_path / "packed"))
    same_bits(packed.model, AutoModel.from_pretrained(tmp_path / "packed"))


@pytest.mark.filterwarnings("ignore:fp8:modelry.errors.ModelryWarning")
@pytest.mark.parametrize("method", ["int8", "fp8", "awq", "compressed-tensors"])
def test_only_the_head_is_packed(method: str, tmp_path: Path) -> None:
    """Whoever reads the base model alone has a float one, and no quantization_config is said of it any more."""
    torch.manual_seed(0)
    config = AutoConfig.for_model("llama", **SMALL | {"num_hidden_layers": 1})
    dense = AutoModelForCausalLM.from_config(config)
    dense.save_pretrained(tmp_path / "float")
    scheme = next(one for one in SCHEMES if one["quant_method"] == method)
    keep = {"ignore": ["re:model"]} if method == "compressed-tensors" else {"modules_to_not_convert": ["model"]}
    packed = AutoModelForCausalLM.from_pretrained(tmp_path / "float", quantization=scheme | keep)
    packed.save_pretrained(tmp_path / "packed")
    read = AutoModelForCausalLM.from_pretrained(tmp_path / "packed")
    assert [name for name, part in read.named_modules() if isinstance(part, PackedLinear)] == ["lm_head"]
    same_bits(packed, read)
    base = AutoModel.from_pretrained(tmp_path / "packed")
    same_bits(dense.model, base)
    assert base.config.quantization_config is None


@pytest.mark.filterwarnings("ignore::modelry.errors.ModelryWarning")  # of what is made anew, and that fp8 is not fast
@pytest.mark.parametrize("scheme", PACKING_HEADS, ids=lambda one: one["quant_method"])
def test_a_packed_head_that_the_model_lacks(scheme: dict[str, Any], tmp_path: Path) -> None:
    """It is passed over, as a float one is, by a model whose own head is made anew."""
    if scheme["quant_method"] in ("torchao", "bitsandbytes"):
        pytest.importorskip(scheme["quant_method"])
    torch.manual_seed(0)
    config = AutoConfig.for_model("llama", **SMALL | {"num_hidden_layers": 1})
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "float")
    packed = AutoModelForCausalLM.from_pretrained(tmp_path / "float", quantization=scheme)
    packed.save_pretrained(tmp_path / "packed")
    read = AutoModelForSequenceClassification.from_pretrained(tmp_path / "packed")
    same_bits(packed.model, read.model)
    assert isinstance(packed.lm_head, PackedLinear)
    assert read.score.weight.dtype == torch.float32
