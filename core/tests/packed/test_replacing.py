"""Which layers stay where nobody says which, and what is said of names that mean nothing."""

from typing import Any

import pytest
from torch import nn

from modelry import AutoConfig, AutoModelForSeq2SeqLM
from modelry.errors import ModelryWarning
from modelry.packed.replacing import found_layers, outside_base_model, refuse_packed


@pytest.fixture
def model() -> Any:
    """T5, which has no base model inside it: its heads stand beside its stacks."""
    sizes = {"vocab_size": 16, "d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2}
    return AutoModelForSeq2SeqLM.from_config(AutoConfig.for_model("t5", **sizes, decoder_start_token_id=0))


def test_the_vocabulary_stays(model: Any) -> None:
    names = [name for name, _ in found_layers(model, None)]
    assert len(names) == 16
    assert "lm_head" not in names
    assert outside_base_model(model) == ["lm_head"]
    assert len(list(found_layers(model, []))) == 17


def test_a_part_of_another_family(model: Any) -> None:
    whole = nn.ModuleDict({"writer": model, "bridge": nn.Linear(8, 8)})
    assert [name for name in dict(found_layers(whole, None)) if not name.startswith("writer.")] == ["bridge"]
    assert "writer.lm_head" not in dict(found_layers(whole, None))


def test_names_that_mean_nothing(model: Any) -> None:
    refuse_packed(model, "int8", ["wo", "decoder", "encoder.block.0.layer.0.SelfAttention.q", "shared"])
    with pytest.warns(ModelryWarning, match=r"int8: no module of T5.* is called lm_hed or q_poj, which shall not"):
        refuse_packed(model, "int8", ["lm_hed", "q_poj", "wo"])
