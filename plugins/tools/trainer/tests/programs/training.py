"""A small training with dropout, run as a process of its own so that it can be killed; gives losses and weights."""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from modelry_trainer import Trainer, TrainingArguments, resuming


class Net(nn.Module):
    """Two layers and dropout between them."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 1))

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": F.mse_loss(self.layers(x)[:, 0], labels)}


def main(arguments: list[str]) -> list[str]:
    """Train; returns every loss, norm and weight, exactly."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--hang-in-save", type=int)
    given = parser.parse_args(arguments)
    if given.hang_in_save is not None:
        real = resuming.write_tree

        def write(folder: Path, name: str, tree: Any, **more: Any) -> None:
            if f"checkpoint-{given.hang_in_save}." in str(folder) and name == "random":
                (given.folder / "hanging").touch()
                time.sleep(600)
            real(folder, name, tree, **more)

        resuming.write_tree = write
    torch.manual_seed(0)
    inputs = torch.randn(20, 4)
    rows = [{"x": x, "labels": x.sum()} for x in inputs]
    values = TrainingArguments(
        given.folder,
        max_steps=8,
        per_device_train_batch_size=4,
        learning_rate=0.05,
        logging_steps=1,
        save_steps=1,
        save_total_limit=2,
        report_html=False,
    )
    torch.manual_seed(1 + given.resume)  # what a resumed model starts from does not matter
    trainer = Trainer(Net(), values, train_dataset=rows)
    trainer.train(resume_from_checkpoint=given.resume)
    logs = [line for line in trainer.state.log_history if "loss" in line]
    told = [f"{line['step']} {line['loss'].hex()} {line['grad_norm'].hex()}" for line in logs]
    return told + [value.hex() for parameter in trainer.model.parameters() for value in parameter.flatten().tolist()]


if __name__ == "__main__":
    main(sys.argv[1:])
