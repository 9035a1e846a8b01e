"""Trainings of a tiny Llama, one after the other, in one of several processes that torchrun starts; the first tells."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from modelry import AutoConfig, AutoModelForCausalLM
from modelry_trainer import Trainer, TrainingArguments, resuming
from modelry_trainer.errors import TrainingError

CONFIG: dict[str, Any] = {
    "vocab_size": 96,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "tie_word_embeddings": True,
}
VALUES: dict[str, Any] = {
    "max_steps": 5,
    "learning_rate": 1e-2,
    "logging_steps": 1,
    "per_device_eval_batch_size": 2,
    "save_strategy": "no",
    "report_html": False,
    "max_grad_norm": 0.5,
    "use_cpu": True,
}


class Rows:
    """Ids, of some of which many labels do not count."""

    def __init__(self, count: int, bad: int | None = None) -> None:
        generator = torch.Generator().manual_seed(1)
        self.bad, self.made = bad, []
        for number in range(count):
            ids = torch.randint(0, 90, (10,), generator=generator)
            labels = ids.clone()
            labels[: 1 + 3 * (number % 3)] = -100
            self.made.append({"input_ids": ids, "labels": labels})

    def __len__(self) -> int:
        return len(self.made)

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        if number == self.bad:
            raise OSError("the disk has a scratch there")
        return self.made[number]


class Stream:
    """The same without numbers."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        return iter(self.rows.made)


class Scaled(nn.Module):
    """Scores with a temperature that is learned: a parameter without a dimension, as CLIP has one."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(96, 8)
        self.layers = nn.ModuleList([nn.Linear(8, 8)])
        self.head = nn.Linear(8, 90)
        self.scale = nn.Parameter(torch.tensor(0.5))

    def forward(self, input_ids: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        logits = self.head(self.layers[0](self.embed(input_ids))) * self.scale.exp()
        return {"loss": F.cross_entropy(logits.flatten(0, 1), labels.flatten()), "logits": logits}


def kill_in_save(rank: int, step: int) -> None:
    """Have one process killed in the middle of writing a checkpoint."""
    real = resuming.write_tree

    def write(folder: Path, name: str, tree: Any, **more: Any) -> None:
        if f"checkpoint-{step}." in str(folder) and name == "optimizer" and int(os.environ["RANK"]) == rank:
            os.kill(os.getpid(), signal.SIGKILL)
        real(folder, name, tree, **more)

    resuming.write_tree = write


def train(job: dict[str, Any]) -> None:
    """Train as a job says; what comes of it is written where it says."""
    folder = Path(job["folder"])
    args = TrainingArguments(folder / "run", **{**VALUES, **job.get("values", {})})
    torch.manual_seed(job.get("seed", 0))
    model: Any = Scaled()
    if not job.get("scaled"):
        config = {"model_type": "llama", **CONFIG, **job.get("config", {})}
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config))
    if "kill" in job:
        kill_in_save(*job["kill"])
    data: Any = Rows(13, job.get("bad"))
    trainer = Trainer(
        model,
        args,
        train_dataset=Stream(data) if job.get("stream") else data,
        eval_dataset=Rows(7),
        compute_metrics=lambda found: {"sum": float(found.predictions.sum()), "rows": len(found.label_ids)},
    )
    trainer.train(resume_from_checkpoint=job.get("resume", False))
    logs = [line for line in trainer.state.log_history if "loss" in line]
    metrics = trainer.evaluate()
    predicted = trainer.predict(Rows(5))
    told = {
        "losses": [line["loss"] for line in logs],
        "norms": [line["grad_norm"] for line in logs],
        "metrics": [metrics[name] for name in ("eval_loss", "eval_sum", "eval_rows")],
        "labels": predicted.label_ids.tolist(),
        "predictions": predicted.predictions[:, -1].tolist(),
    }
    trainer.save_model(folder / "model")
    if trainer.is_world_process_zero():
        (folder / "told.json").write_text(json.dumps(told))


def main(jobs: list[dict[str, Any]]) -> None:
    """All jobs."""
    for job in jobs:
        try:
            train(job)
        except TrainingError:
            if job.get("stays") != os.environ["RANK"]:
                raise
            time.sleep(600)  # as in a notebook: the process lives on, and the others must not wait for it


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(json.loads(Path(sys.argv[1]).read_text()))
