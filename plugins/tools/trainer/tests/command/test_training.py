"""Every kind of training from its example file: planned, trained, saved, loaded again."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelry import AutoModelForSequenceClassification, AutoTokenizer
from modelry_trainer.command.kinds import KINDS
from modelry_trainer.command.train import EXAMPLES

pytestmark = pytest.mark.filterwarnings("ignore:.*made anew for:modelry.errors.ModelryWarning")


def test_there_is_an_example_for_every_kind(call: Callable[..., Any]) -> None:
    assert set(EXAMPLES) == set(KINDS)
    for kind in KINDS:
        text = call("--example", kind).output
        assert yaml.safe_load(text)["task"] == kind
        assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "chat"])
def test_examples_run(
    kind: str, call: Callable[..., Any], models: dict[str, Path], quick: tuple[str, ...], here: Path
) -> None:
    (here / "example.yaml").write_text(call("--example", kind).output)
    words = ("example.yaml", "--model", models[kind], *quick)
    if kind == "causal-lm":
        words += ("--preprocessing.max_length=100",)
    if kind == "seq2seq-lm":
        words += ("--generation_max_length=4",)
    plan = call(*words, "--dry-run")
    assert plan.exit_code == 0, plan.output
    assert f"task        {kind}: " in plan.output
    assert "steps       2 of 2 rows" in plan.output
    assert "not known" not in plan.output
    assert not (here / "out").exists(), "a plan writes nothing"
    done = call(*words, "--json", "--peft=null")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["steps"] == 2
    assert {"model": "out", "report": "out/report.html"}.items() <= told.items()
    metric = {"causal-lm": "perplexity", "masked-lm": "perplexity", "seq2seq-lm": "exact_match"}.get(kind, "accuracy")
    assert told[f"eval_{metric}"] >= 0
    assert (here / "out" / "config.json").is_file()
    kept = yaml.safe_load((here / "out" / "train.yaml").read_text())
    assert kept["training"]["max_steps"] == 2
    assert kept["model"]["ref"] == str(models[kind])


def test_chats_from_a_shell(
    call: Callable[..., Any], models: dict[str, Path], quick: tuple[str, ...], here: Path
) -> None:
    """The whole program once, with the example of chats: evaluation, a report."""
    (here / "chat.yaml").write_text(call("--example", "chat").output)
    words = [sys.executable, "-m", "modelry", "train", "chat.yaml", "--model", str(models["chat"]), *quick]
    words += ["--preprocessing.max_length=100", "--peft=null"]
    done = subprocess.run(words, cwd=here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Trained 2 steps in ")
    assert lines[1].startswith("Evaluated: loss ")
    assert "perplexity" in lines[1]
    assert lines[2:] == ["Model: out", "Report: out/report.html"]
    assert "step 1 of 2: loss " in done.stderr
    assert (here / "out" / "model.safetensors").is_file()


def test_overrides_resume_and_packing(
    call: Callable[..., Any], models: dict[str, Path], quick: tuple[str, ...], chats: Path, here: Path
) -> None:
    words = ["--task=chat", "--data", chats, "--model", models["chat"], *quick, "--save_strategy=steps"]
    words += ["--save_steps=2", "--lr_scheduler_type=constant"]
    words += ["--preprocessing.packing", "--preprocessing.max_length=80", "--per_device_train_batch_size=1"]
    nothing = call(*words, "--resume")
    assert nothing.exit_code == 2
    assert "out has no checkpoint to go on from" in nothing.output
    first = call(*words, "--report_html=false")
    assert first.exit_code == 0, first.output
    assert "Report" not in first.output
    refused = call(*words)
    assert refused.exit_code == 2
    assert "out has checkpoint-2 of a training before: go on with --resume" in refused.output
    more = call(*words, "--max_steps=4", "--resume", "--json")
    assert more.exit_code == 0, more.output
    assert json.loads(more.stdout)["steps"] == 4
    steps = [one["step"] for one in json.loads((here / "out" / "trainer_state.json").read_text())["log_history"]]
    assert steps[:4] == [1, 2, 3, 4]
    assert call(*words, "--max_steps=4", "--output_dir=whole").exit_code == 0
    written = [(here / folder / "model.safetensors").read_bytes() for folder in ("out", "whole")]
    assert written[0] == written[1], "as if it had never been interrupted"


def test_a_classifier_knows_its_labels(
    call: Callable[..., Any], models: dict[str, Path], quick: tuple[str, ...], here: Path
) -> None:
    (here / "rows.csv").write_text('review,stars\nthe inn,good\nthe rain,bad\n"sea, sea",good\ntin,bad\n')
    words = ["--task=sequence-classification", "--data=rows.csv", "--model", models["sequence-classification"], *quick]
    words += ["--data.columns.text=review", "--data.columns.label=stars", "--max_steps=20", "--learning_rate=0.02"]
    done = call(*words)
    assert done.exit_code == 0, done.output
    model = AutoModelForSequenceClassification.from_pretrained(here / "out")
    assert model.config.id2label == {0: "bad", 1: "good"}
    tokenizer = AutoTokenizer.from_pretrained(here / "out")
    logits = model(**tokenizer(["the inn", "the rain"], return_tensors="pt", padding=True)).logits
    assert logits.argmax(-1).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("labels", "problem", "metric"),
    [
        ([0.5, 1.5, -2.0, 3.0], "regression", "mae"),
        ([["a"], ["b", "a"], [], ["b"]], "multi_label_classification", "f1"),
    ],
)
def test_numbers_and_several_labels(
    labels: list[Any],
    problem: str,
    metric: str,
    call: Callable[..., Any],
    models: dict[str, Path],
    quick: tuple[str, ...],
    here: Path,
    write: Callable[..., Path],
) -> None:
    rows = [{"text": "the sea", "text_pair": "tin", "label": label} for label in labels]
    file = write(here / "rows.jsonl", rows)
    words = ["--task=sequence-classification", "--data", file, "--data.eval", file, *quick, "--json"]
    done = call(*words, "--model", models["sequence-classification"])
    assert done.exit_code == 0, done.output
    assert f"eval_{metric}" in json.loads(done.stdout)
    config = json.loads((here / "out" / "config.json").read_text())
    assert config["problem_type"] == problem
    assert len(config["id2label"]) == (1 if problem == "regression" else 2)


def test_a_tokenizer_that_gives_more_than_the_model_reads(
    call: Callable[..., Any], models: dict[str, Path], quick: tuple[str, ...], here: Path
) -> None:
    """BERT's gives token_type_ids, which T5 does not take."""
    (here / "rows.csv").write_text("source,target\nthe inn,the sea\nthe rain,the roof\n")
    words = ["--task=seq2seq-lm", "--data=rows.csv", "--model", models["seq2seq-lm"], *quick, "--source_prefix=say: "]
    done = call(*words, "--model.tokenizer", models["masked-lm"])
    assert done.exit_code == 0, done.output
