"""Layers are packed where a checkpoint has something of them."""

from pathlib import Path

import pytest
import torch
from kernel_toys import NoteConfig, NoteForCausalLM, NoteForSequenceClassification, PackedLinear
from torch import nn

from modelry.errors import ModelryWarning

pytestmark = pytest.mark.usefixtures("registry")


@pytest.mark.parametrize("packed", [False, True])
def test_a_new_head_is_made_and_not_packed(packed: bool, tmp_path: Path) -> None:
    NoteForCausalLM.from_config(NoteConfig()).save_pretrained(tmp_path)
    if packed:
        NoteForCausalLM.from_pretrained(tmp_path, quantization="toy8").save_pretrained(tmp_path)
    with pytest.warns(ModelryWarning, match=r"score\.bias, score\.weight: made anew"):
        model = NoteForSequenceClassification.from_pretrained(tmp_path, quantization="toy8")
    assert [name for name, part in model.named_modules() if isinstance(part, PackedLinear)] == [
        "model.layers.0.dense",
        "model.layers.1.dense",
    ]
    assert type(model.score) is nn.Linear
    assert model.score.weight.std() > 0
    assert model(torch.tensor([[1, 2, 3]])).isfinite().all()
