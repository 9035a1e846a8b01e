"""Every family on some GPU: the same numbers as on the CPU, and no tensor left behind there."""

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from modelry_testing.pretending import some_gpu

CONTRACTS = sorted((Path(__file__).parents[2] / "plugins" / "models").glob("*/tests/test_contract.py"))


@pytest.mark.filterwarnings("ignore")  # of tiny models, which other tests look at
@pytest.mark.parametrize("path", CONTRACTS, ids=[path.parents[1].name for path in CONTRACTS])
def test_forward_and_loss(path: Path, subjects: Any, moved: Any) -> None:
    subject = subjects(path)[-1]
    _same(subject, subject.head, moved)


def _same(subject: Any, head: str, moved: Any) -> None:
    model, inputs = subject.model(head), subject.inputs_of(head)
    labels = subject.labels(head, inputs)
    ids = inputs.get("input_ids")
    if ids is not None and "pixel_values" not in inputs and "attention_mask" in _takes(model):
        inputs["attention_mask"] = torch.ones(ids.shape[0], ids.shape[-1], dtype=torch.long).expand(ids.shape).clone()
        inputs["attention_mask"][0, ..., :2] = 0
    torch.manual_seed(0)
    with torch.inference_mode():
        expected = model(**inputs, **labels)
        torch.manual_seed(0)
        with some_gpu():
            found = model.to("cuda:0")(**moved(inputs), **moved(labels))
            tensors = {name: one for name, one in found.items() if isinstance(one, Tensor)}
            assert {str(one.device) for one in tensors.values()} == {"cuda:0"}, head
            for name, one in tensors.items():
                torch.testing.assert_close(one.cpu(), expected[name], rtol=1e-4, atol=1e-4, msg=f"{head}: {name}")


def _takes(model: Any) -> Any:
    return inspect.signature(type(model).forward).parameters
