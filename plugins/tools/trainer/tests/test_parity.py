"""The losses of the independent implementation, on the same model, rows and seed."""

from pathlib import Path
from typing import Any

import pytest
import torch

from modelry import AutoModelForCausalLM
from modelry_trainer import Trainer, TrainerCallback, TrainingArguments
from modelry_trainer.callbacks.events import EVENTS

CONFIG = {
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
}


def stacked(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}


@pytest.mark.filterwarnings("default")
def test_losses_are_the_peers(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    torch.manual_seed(0)
    theirs = transformers.LlamaForCausalLM(transformers.LlamaConfig(**CONFIG))
    theirs.save_pretrained(tmp_path / "model")
    ours = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    rows = []
    for number in range(37):  # the last batch of an epoch is smaller, and rows count by unequal labels
        ids = torch.randint(0, 64, (12,))
        labels = ids.clone()
        labels[: number % 9] = -100
        rows.append({"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels})
    values: dict[str, Any] = {
        "max_steps": 20,
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 2,
        "learning_rate": 1e-2,
        "weight_decay": 0.1,
        "warmup_steps": 3,
        "lr_scheduler_type": "cosine",
        "logging_steps": 1,
        "save_strategy": "no",
        "use_cpu": True,
        "dataloader_pin_memory": False,
    }
    peer_arguments = transformers.TrainingArguments(str(tmp_path / "peer"), **values, disable_tqdm=True)
    peer = transformers.Trainer(theirs, peer_arguments, train_dataset=rows, data_collator=stacked)
    peer.remove_callback(transformers.trainer_callback.PrinterCallback)
    peer.train()
    arguments = TrainingArguments(tmp_path / "ours", **values, report_html=False)
    trainer = Trainer(ours, arguments, train_dataset=rows, data_collator=stacked)
    trainer.train()
    for name in ("loss", "grad_norm", "learning_rate", "epoch"):
        wanted = [line[name] for line in peer.state.log_history if "loss" in line]
        found = [line[name] for line in trainer.state.log_history if "loss" in line]
        assert len(found) == 20
        assert found == pytest.approx(wanted, abs=1e-5), name
    wanted_loss = peer.evaluate(rows)["eval_loss"]
    assert trainer.evaluate(rows)["eval_loss"] == pytest.approx(wanted_loss, abs=1e-5)


@pytest.mark.filterwarnings("default")
def test_events_and_logs_are_the_peers(tmp_path: Path) -> None:
    """Every event in the same order at the same step, told the same names; the same values logged."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    transformers.LlamaForCausalLM(transformers.LlamaConfig(**CONFIG)).save_pretrained(tmp_path / "model")
    ids = [torch.arange(8) * number % 60 for number in range(20)]
    rows = [{"input_ids": one, "labels": one} for one in ids]
    values: dict[str, Any] = {
        "num_train_epochs": 2,
        "per_device_train_batch_size": 4,
        "per_device_eval_batch_size": 5,
        "gradient_accumulation_steps": 2,
        "learning_rate": 1e-3,
        "logging_steps": 2,
        "logging_first_step": True,
        "eval_on_start": True,
        "eval_strategy": "steps",
        "eval_steps": 3,
        "save_strategy": "steps",
        "save_steps": 3,
        "load_best_model_at_end": True,
        "include_for_metrics": ["inputs"],
        "use_cpu": True,
        "dataloader_pin_memory": False,
        "disable_tqdm": True,
        "report_to": "none",
    }
    theirs = transformers.LlamaForCausalLM.from_pretrained(tmp_path / "model")
    ours = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    sides = [
        (transformers.Trainer, transformers.TrainingArguments, theirs, transformers.TrainerCallback, {}),
        (Trainer, TrainingArguments, ours, TrainerCallback, {"report_html": False}),
    ]
    heard = [_heard(*side, rows=rows, folder=tmp_path, values=values) for side in sides]
    assert len(heard[0][0]) == 64
    assert heard[1][0] == heard[0][0]
    for found, wanted in zip(heard[1][1], heard[0][1], strict=True):
        assert found == pytest.approx(wanted, abs=1e-5)


def _heard(
    trainer_class: Any,
    arguments_class: Any,
    model: Any,
    callback: Any,
    more: Any,
    *,
    rows: Any,
    folder: Path,
    values: Any,
) -> tuple[list[Any], list[Any]]:
    events: list[Any] = []

    def listener(name: str) -> Any:
        def listen(self: Any, args: Any, state: Any, control: Any, **told: Any) -> None:
            events.append((name, state.global_step, state.epoch, {key for key, value in told.items() if value}))

        return listen

    recorder = type("Recorder", (callback,), {name: listener(name) for name in EVENTS})
    arguments = arguments_class(str(folder / trainer_class.__module__), **values, **more)
    trainer = trainer_class(
        model,
        arguments,
        train_dataset=rows,
        eval_dataset=rows[:7],
        compute_metrics=lambda given: {"rows": len(given.predictions), "inputs": len(given.inputs)},
        preprocess_logits_for_metrics=lambda logits, labels: logits.argmax(-1),
        callbacks=[recorder],
    )
    trainer.train()
    trainer.evaluate({"few": rows[:3], "more": rows[3:9]})
    trainer.predict(rows[:6])
    own = ("runtime", "per_second", "memory_gb", "seconds_left", "model_preparation_time")
    logs = [{key: value for key, value in line.items() if not key.endswith(own)} for line in trainer.state.log_history]
    return events, logs
