"""Fine-tuning on chats: the losses, the tokens a second, and the peak of memory."""

import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from benchmarks.weights import folder
from benchmarks.work.chats import chats
from benchmarks.work.library import library
from benchmarks.work.resident import resident_bytes
from benchmarks.worker import Result

BATCH, WARM_UP, PAD, IGNORED = 4, 2, 2, -100
Row = dict[str, list[int]]


def rows(source: str) -> list[Row]:
    """The chats as ids, all of which are learnt; the same for both sides."""
    from modelry import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(source)
    return [{"input_ids": list(tokenizer.apply_chat_template(chat)["input_ids"])} for chat in chats()]


def padded(batch: Sequence[Row]) -> dict[str, Tensor]:
    """Rows as one batch, filled up on the right."""
    width = max(len(row["input_ids"]) for row in batch)
    real = torch.arange(width) < torch.tensor([len(row["input_ids"]) for row in batch])[:, None]
    ids = torch.tensor([row["input_ids"] + [PAD] * (width - len(row["input_ids"])) for row in batch])
    return {"input_ids": ids, "attention_mask": real.long(), "labels": ids.where(real, IGNORED)}


class Watched:
    """The collator of a training, which counts real tokens, and the callback that notes when a step ended.

    Called by both sides as they call their own callbacks, whose class differs.
    """

    def __init__(self) -> None:
        self.times: list[float] = []
        self.tokens: list[int] = []

    def collate(self, batch: Sequence[Row]) -> dict[str, Tensor]:
        made = padded(batch)
        self.tokens.append(int(made["attention_mask"].sum()))
        return made

    def on_step_end(self, *_: object, **__: object) -> None:
        self.times.append(time.perf_counter())

    def __getattr__(self, name: str) -> Callable[..., None]:
        if not name.startswith("on_"):
            raise AttributeError(name)
        return lambda *_, **__: None

    def tokens_per_second(self, steps: int) -> float:
        """After the first steps, which pay for thread pools, allocations and the optimizer's state."""
        return sum(self.tokens[WARM_UP:steps]) / (self.times[-1] - self.times[WARM_UP - 1])


def prepare(side: str, count: str, source: str) -> Callable[[], Result]:
    """Of so many steps.

    Args:
        source: a checkpoint; SmolLM2 where it is empty.
    """
    module, steps = library(side), int(count)
    source = source or str(folder("float32"))
    data, watched = rows(source), Watched()

    def measure() -> Result:
        model = module.AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
        with tempfile.TemporaryDirectory() as output:
            arguments: Any = module.TrainingArguments(
                output,
                max_steps=steps,
                per_device_train_batch_size=BATCH,
                learning_rate=2e-5,
                logging_steps=1,
                save_strategy="no",
                report_to="none",
                use_cpu=True,
                disable_tqdm=True,
                dataloader_pin_memory=False,
            )
            trainer = module.Trainer(
                model, arguments, train_dataset=data, data_collator=watched.collate, callbacks=[watched]
            )
            trainer.train()
        return {
            "losses": [line["loss"] for line in trainer.state.log_history if "loss" in line],
            "tokens_per_second": watched.tokens_per_second(steps),
            "peak_gigabytes": resident_bytes("VmHWM") / 1e9,
        }

    return measure
