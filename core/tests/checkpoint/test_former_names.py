"""Names of older files are read and never written."""

import torch

from modelry.checkpoint import Former, WeightTable

TABLE = WeightTable(Former("layer.{i}.gamma", "layer.{i}.weight"))


def test_both_names_are_read_and_one_is_written() -> None:
    for name in ("layer.1.gamma", "layer.1.weight"):
        (step,) = TABLE.reading([name])
        assert (step.stored, step.ours) == ((name,), ("layer.1.weight",))
    (step,) = TABLE.writing(["layer.1.weight"])
    assert step.stored == ("layer.1.weight",)
    tensor = torch.ones(2)
    assert step.row.write([tensor])[0] is tensor
    assert TABLE.under("model.", None).names_stored("model.layer.7.gamma")
