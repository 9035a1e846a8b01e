"""Trainings of a tiny Llama, one after the other, as one of several processes that torchrun starts; the first tells."""

import json
import sys
from pathlib import Path
from typing import Any

import torch

from modelry import AutoConfig, AutoModelForCausalLM
from modelry_trainer import Trainer, TrainingArguments

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
    "save_strategy": "no",
    "report_html": False,
    "max_grad_norm": 0.5,
    "use_cpu": True,
}


def rows(count: int) -> list[dict[str, torch.Tensor]]:
    """Ids of several lengths, of some of which many labels do not count."""
    generator = torch.Generator().manual_seed(1)
    made = []
    for number in range(count):
        ids = torch.randint(0, 90, (10,), generator=generator)
        labels = ids.clone()
        labels[: 1 + 3 * (number % 3)] = -100
        made.append({"input_ids": ids, "labels": labels})
    return made


def model(seed: int, **values: Any) -> Any:
    """Random weights."""
    torch.manual_seed(seed)
    return AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", **{**CONFIG, **values}))


def train(job: dict[str, Any]) -> None:
    """Train as a job says; what comes of it is written where it says."""
    folder = Path(job["folder"])
    args = TrainingArguments(folder / "run", **{**VALUES, **job.get("values", {})})
    made = model(job.get("seed", 0), **job.get("config", {}))
    data: Any = rows(job.get("rows", 13))
    if job.get("stream"):
        from torch.utils.data import IterableDataset

        class Stream(IterableDataset[Any]):
            def __init__(self, rows: Any) -> None:
                self.rows = rows

            def __iter__(self) -> Any:
                return iter(self.rows)

        data = Stream(data)
    trainer = Trainer(
        made,
        args,
        train_dataset=data,
        eval_dataset=rows(7),
        compute_metrics=lambda found: {"sum": float(found.predictions.sum()), "rows": len(found.label_ids)},
    )
    trainer.train(resume_from_checkpoint=job.get("resume", False))
    told: dict[str, Any] = {"losses": [line["loss"] for line in trainer.state.log_history if "loss" in line]}
    told["norms"] = [line["grad_norm"] for line in trainer.state.log_history if "grad_norm" in line]
    told["metrics"] = {name: value for name, value in trainer.evaluate().items() if "second" not in name}
    predicted = trainer.predict(rows(5))
    told["labels"] = predicted.label_ids.tolist()
    told["first"] = predicted.predictions[:, 0, 0].tolist()
    trainer.save_model(folder / "model")
    if trainer.is_world_process_zero():
        (folder / "told.json").write_text(json.dumps(told))


def main(jobs: list[dict[str, Any]]) -> None:
    """All jobs."""
    for job in jobs:
        train(job)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(json.loads(Path(sys.argv[1]).read_text()))
