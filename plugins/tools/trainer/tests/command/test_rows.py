"""Prepared rows: what is learnt of chats and completions, lengths, packs; the estimate held against a real step."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from modelry import AutoTokenizer
from modelry_trainer.collators.labels import IGNORED
from modelry_trainer.command.estimate import estimate, longest_rows
from modelry_trainer.command.kinds.token_rows import TokenRows
from modelry_trainer.command.preparation import Job, load_model
from modelry_trainer.command.train import read_job

USER, ASSISTANT = {"role": "user", "content": "the inn?"}, {"role": "assistant", "content": "by the sea"}


def test_token_rows_are_what_was_put_in() -> None:
    rows = [
        {"input_ids": [1, 70000, -3], "pairs": [(0, 1), (2, 3)], "labels": 0.5},
        {"input_ids": [2], "pairs": [(4, 5)], "labels": 2},
    ]
    kept = TokenRows(rows)
    assert kept[0] == {"input_ids": [1, 70000, -3], "pairs": [[0, 1], [2, 3]], "labels": 0.5}
    assert kept[-1]["input_ids"] == [2]
    assert kept[0:1] == [kept[0]]
    assert kept.lengths().tolist() == [3, 1]
    assert kept.total("input_ids", lambda ids: ids > 0) == 3
    with pytest.raises(IndexError):
        kept[2]
    many = TokenRows({"input_ids": np.arange(200)} for _ in range(3))
    assert sum(values.nbytes for values in many._values.values()) == 600, "a byte each, where bytes do"


@pytest.fixture
def prepare(models: dict[str, Path], here: Path, write: Callable[..., Path]) -> Callable[..., Job]:
    def make(rows: Any, *words: str, task: str = "chat") -> Job:
        file = write(here / "rows.jsonl", rows)
        made: Job = read_job((f"--task={task}", f"--model={models[task]}", f"--data={file}", *words), (), resume=False)
        return made

    return make


def learnt(job: Job, number: int = 0) -> tuple[str, str]:
    row = job.prepared.train[number]
    spoken = [one for one in row["labels"] if one != IGNORED]
    return job.preprocessor.decode(row["input_ids"]), job.preprocessor.decode(spoken)


def test_what_is_learnt(prepare: Callable[..., Job]) -> None:
    whole = "<user>the inn?<|end|><assistant>by the sea<|end|>"
    chat = {"messages": [USER, ASSISTANT]}
    assert learnt(prepare([chat])) == (whole, "by the sea<|end|>")
    assert learnt(prepare([chat], "--completion_only=false")) == (whole, whole)
    twice = prepare([{"prompt": [USER, ASSISTANT, USER], "completion": [ASSISTANT]}])
    assert learnt(twice) == (whole * 2, "by the sea<|end|>"), "the turns of a prompt are only read"
    texts = {"prompt": "the inn?", "completion": " by the sea"}
    assert learnt(prepare([texts])) == ("the inn? by the sea<|end|>", " by the sea<|end|>")
    assert learnt(prepare([texts], "--add_eos=false")) == ("the inn? by the sea", " by the sea")
    plain = prepare([{"text": "the inn"}], task="causal-lm")
    assert learnt(plain) == ("the inn<|end|>", "the inn<|end|>")
    own = prepare([chat], "--chat_template={% for m in messages %}{{ m.content }}|{% endfor %}")
    assert learnt(own)[0] == "the inn?|by the sea|"


def test_long_rows(prepare: Callable[..., Job]) -> None:
    long = {"messages": [USER, {"role": "assistant", "content": "sea " * 20}]}
    quiet = {"messages": [{"role": "user", "content": "sea " * 20}, ASSISTANT]}
    job = prepare([{"messages": [USER, ASSISTANT]}, long, quiet], "--max_length=40")
    assert job.prepared.train.lengths().max() == 40
    assert len(job.prepared.train) == 2
    assert [note.split(" (")[0] for note in job.prepared.notes] == [
        "2 of 3 rows have more than 40 tokens and are cut",
        "of 1 rows nothing is left to learn once they are cut; they are left out",
    ]
    assert (
        len(prepare([long, {"messages": [USER, ASSISTANT]}], "--max_length=40", "--overlong=drop").prepared.train) == 1
    )
    for task in ("causal-lm", "masked-lm"):
        split = prepare([{"text": "rain " * 30}], "--max_length=16", "--overlong=split", task=task).prepared.train
        assert len(split) > 1
        assert split.lengths().max() == 16
    packs = prepare([{"messages": [USER, ASSISTANT]}] * 4, "--packing", "--max_length=64").prepared.train
    assert [len(pack) for pack in packs] == [2, 2]
    assert longest_rows(packs, 1) == [0]


@pytest.mark.parametrize("task", ["chat", "masked-lm"])
def test_the_estimate_is_near_a_real_step(prepare: Callable[..., Job], task: str) -> None:
    rows = [{"messages": [USER, ASSISTANT]}, {"messages": [USER, {**ASSISTANT, "content": "sea " * 9}]}]
    if task == "masked-lm":
        rows = [{"text": "the inn by the sea"}, {"text": "rain " * 9}]
    job = prepare(rows, "--per_device_train_batch_size=2", task=task)
    found = estimate(job)
    with pytest.warns() if task == "masked-lm" else torch.enable_grad():
        model = load_model(job)
    weights = {one.untyped_storage().data_ptr() for one in model.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in weights:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    batch = job.prepared.collator(model)([job.prepared.train[0], job.prepared.train[1]])
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model.train()(**batch).loss.backward()
    real = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    assert found.activation_bytes == pytest.approx(real, rel=0.2)
    assert found.trainable == found.parameters == sum(one.numel() for one in model.parameters())
    assert found.gradient_bytes == sum(one.grad.nbytes for one in model.parameters())
    assert found.optimizer_bytes == 2 * found.gradient_bytes


def test_the_recipe_of_the_readme(
    models: dict[str, Path], chats: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What others write with an SFTTrainer, in Python: the README's second program."""
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    program = readme.split("```python")[2].split("```")[0]
    assert "DataCollatorForCompletionOnly" in program
    ran: dict[str, Any] = {}
    exec(compile(program.replace("some/model", str(models["chat"])), "README.md", "exec"), ran)
    assert ran["trainer"].state.global_step == 3
    assert AutoTokenizer.from_pretrained(here / "chat-out").chat_template is not None
