"""The losses of the independent implementation, on the same model, rows and seed."""

from pathlib import Path
from typing import Any

import pytest
import torch

from modelry import AutoModelForCausalLM
from modelry_trainer import Trainer, TrainingArguments

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
