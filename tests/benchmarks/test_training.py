"""Both Trainers have the same losses on chats, shown on a tiny model; the part's table and plot, of made-up numbers."""

from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("matplotlib", reason="requirements/bench.txt")

from benchmarks.parts import training
from benchmarks.work.chats import chats
from benchmarks.work.training import IGNORED, padded, prepare
from modelry import AutoModelForCausalLM, AutoTokenizer
from modelry.configuration import config_class
from modelry_testing.toys.tokenizer_files import write_tokenizer

STEPS = 20
TEMPLATE = "{% for message in messages %}{{ message['content'] }}<|end|>{% endfor %}"


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A Llama of a few thousand weights, with a tokenizer of bytes."""
    torch.manual_seed(0)
    sizes = {"vocab_size": 264, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    config = config_class("llama")(**sizes, num_attention_heads=2, num_key_value_heads=1)
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "tiny")
    write_tokenizer(tmp_path / "tiny")
    tokenizer: Any = AutoTokenizer.from_pretrained(tmp_path / "tiny")
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(tmp_path / "tiny")
    return tmp_path / "tiny"


@pytest.mark.filterwarnings("default")
def test_both_trainers_have_the_same_losses(tiny: Path) -> None:
    found = {side: prepare(side, str(STEPS), str(tiny))() for side in training.SIDES}
    losses = {side: one["losses"] for side, one in found.items()}
    assert {len(of) for of in losses.values()} == {STEPS}
    assert training.apart(losses) < 1e-3
    assert losses["ours"][-1] < losses["ours"][0]
    for one in found.values():
        assert one["tokens_per_second"] > 0
        assert one["peak_gigabytes"] > 0.1


def test_batches_are_padded_behind() -> None:
    batch = padded([{"input_ids": [5, 6, 7]}, {"input_ids": [8]}])
    assert batch["input_ids"].tolist() == [[5, 6, 7], [8, 2, 2]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["labels"].tolist() == [[5, 6, 7], [8, IGNORED, IGNORED]]


def test_chats_differ_and_take_turns() -> None:
    made = chats()
    assert len({str(chat) for chat in made}) == len(made) == 48
    for chat in made:
        assert [turn["role"] for turn in chat] == ["user", "assistant"] * (len(chat) // 2)


def test_table_and_plot(tmp_path: Path) -> None:
    sides = {
        "ours": {"tokens_per_second": 200.0, "peak_gigabytes": 2.7},
        "theirs": {"tokens_per_second": 160.0, "peak_gigabytes": 3.6},
    }
    losses = {"ours": [3.0, 2.0, 1.5], "theirs": [3.0, 2.0005, 1.5]}
    runs = {side: [one] * 5 for side, one in sides.items()}
    entries = {"losses": losses, **{key: {"median": sides, "runs": runs} for key in ("steps", "many")}}
    page = "\n".join(training.section(entries).lines())
    assert "| training | 200 tokens/s | transformers: 160 tokens/s | **1.25** |" in page
    for name in ("peak of memory", "peak of memory, 3 steps"):
        assert f"| {name} | 2.70 GB | transformers: 3.60 GB | **0.75** |" in page
    assert "The losses of 3 steps are 5.0e-04 apart at most, as asked (≤ 0.001 apart)." in page
    training.draw(entries, tmp_path)
    assert (tmp_path / "training.png").stat().st_size > 5000
