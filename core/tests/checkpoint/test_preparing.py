"""Layers are packed where a checkpoint has something of them."""

from pathlib import Path

import pytest
import torch
from kernel_toys import (
    LegacyConfig,
    LegacyForCausalLM,
    NoteConfig,
    NoteForCausalLM,
    NoteForSequenceClassification,
    PackedLinear,
)
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


def test_biases_of_packed_layers_that_files_keep_as_one(tmp_path: Path) -> None:
    """From disk they have the dtype that they are stored in."""
    LegacyForCausalLM.from_config(LegacyConfig()).half().save_pretrained(tmp_path)
    packed = LegacyForCausalLM.from_pretrained(tmp_path, quantization="toy8")
    packed.save_pretrained(tmp_path / "packed")
    from_disk = LegacyForCausalLM.from_pretrained(
        tmp_path / "packed", device_map="disk", offload_folder=tmp_path / "disk"
    )
    assert isinstance(from_disk.body.layers[0].q, PackedLinear)
    found = from_disk.state_dict()
    for name, one in packed.state_dict().items():
        assert found[name].dtype == one.dtype, name
        assert torch.equal(found[name], one), name
