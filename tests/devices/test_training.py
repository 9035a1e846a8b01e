"""A training on some GPU: forward, loss, backward, clipping and the optimizer's steps are the CPU's."""

import copy
from pathlib import Path
from typing import Any

import pytest

from modelry import Trainer, TrainingArguments
from modelry_testing.pretending import some_gpu

MODELS = Path(__file__).parents[2] / "plugins" / "models"
FLOAT32, BFLOAT16 = 1e-4, 0.02
"""How far losses and lengths of gradients may be apart: autocast has other lists of operations on each device."""


@pytest.mark.filterwarnings("ignore")  # of tiny models, which other tests look at
@pytest.mark.parametrize(
    ("family", "most", "values"),
    [
        ("llama", FLOAT32, {"gradient_checkpointing": True}),
        ("llama", BFLOAT16, {"bf16": True}),
        ("llama", BFLOAT16, {"fp16": True}),
        ("mixtral", FLOAT32, {"label_smoothing_factor": 0.1, "optim": "schedule_free_adamw"}),
    ],
)
def test_steps(family: str, most: float, values: dict[str, Any], subjects: Any, tmp_path: Path) -> None:
    subject = subjects(MODELS / family / "tests" / "test_contract.py")[-1]
    inputs = subject.inputs_of(subject.head)
    batch = {**inputs, **subject.labels(subject.head, inputs)}

    class Fed(Trainer):
        def get_train_dataloader(self) -> Any:
            return [batch] * 2

    def trained(model: Any, **more: Any) -> Any:
        quiet = {"report_html": False, "save_strategy": "no", "disable_tqdm": True, "logging_steps": 1}
        arguments = TrainingArguments(tmp_path, max_steps=2, learning_rate=1e-3, **quiet, **values, **more)
        trainer = Fed(model, arguments)
        trainer.train()
        return trainer

    model = subject.model()
    expected = trained(copy.deepcopy(model), use_cpu=True)
    with some_gpu():
        found = trained(model)
        assert {str(one.device) for one in model.parameters()} == {"cuda:0"}
        model.to("cpu")
    lines = [[one for one in trainer.state.log_history if "loss" in one] for trainer in (found, expected)]
    assert len(lines[0]) == 2
    for ours, wanted in zip(*lines, strict=True):
        for name in ("loss", "grad_norm"):
            assert ours[name] == pytest.approx(wanted[name], rel=most), name
