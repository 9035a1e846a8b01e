"""The examples that end with a number, with a few steps on next to nothing: trained, saved, reloaded, used; and the
pieces that they are made of."""

import runpy
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from modelry import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer
from modelry.configuration import config_class
from modelry_testing.toys.tokenizer_files import write_tokenizer

TINY = {"vocab_size": 264, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1}
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


@pytest.fixture
def load(repository: Path) -> Callable[[str], dict[str, Any]]:
    return lambda name: runpy.run_path(str(repository / "examples" / f"{name}.py"))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run an example's main with arguments; the last line of what it prints."""

    def call(example: dict[str, Any], *arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["example.py", *map(str, arguments)])
        example["main"]()
        return capsys.readouterr().out.splitlines()[-1]

    return call


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A folder with a tokenizer of bytes that has a chat template."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    write_tokenizer(folder)
    config_class("llama")(**TINY, num_attention_heads=2).save_pretrained(folder)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    return folder


def test_digits(load: Callable[..., Any], run: Callable[..., str], tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn has the digits")
    example = load("digits")
    assert "of 360 held-out digits: " in run(example, "vit", "--epochs", "0.1", "--folder", tmp_path / "model")
    assert (tmp_path / "model" / "model.safetensors").is_file()
    image = torch.zeros(1, 8, 8)
    image[0, 3, 4] = 1.0
    torch.manual_seed(0)
    places = {tuple(example["shifted"](image)[0].nonzero()[0].tolist()) for _ in range(60)}
    assert places == {(row, column) for row in (2, 3, 4) for column in (3, 4, 5)}
    made = example["batch"]([(image, 3), (image, 8)])
    assert made["labels"].tolist() == [3, 8]
    assert torch.equal(made["pixel_values"][0], image)


@pytest.mark.filterwarnings("ignore:.*made anew:modelry.errors.ModelryWarning")  # the classifier, which is new
def test_house_requests(load: Callable[..., Any], run: Callable[..., str], tiny: Path, tmp_path: Path) -> None:
    example = load("house_requests")
    config = config_class("bert")(**TINY, num_attention_heads=2)
    AutoModelForSequenceClassification.from_config(config).base_model.save_pretrained(tiny)
    said = run(example, tiny, "--epochs", "0.1", "--folder", tmp_path / "classifier")
    assert " of 84 held-out requests: " in said
    assert (tmp_path / "classifier" / "tokenizer.json").is_file()
    learnt, held_out = (dict(example["sentences"](held_out=held)) for held in (False, True))
    assert not set(learnt) & set(held_out)
    assert set(learnt.values()) == set(held_out.values()) == set(example["LABELS"])


def test_lora(load: Callable[..., Any], run: Callable[..., str], tiny: Path, tmp_path: Path) -> None:
    pytest.importorskip("peft", reason="the example's adapter")
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config_class("llama")(**TINY, num_attention_heads=2)).save_pretrained(tiny)
    said = run(load("lora"), tiny, "--epochs", "0.4", "--folder", tmp_path / "adapter")
    assert "loss of the answers: " in said
    assert "after" in said
    assert (tmp_path / "adapter" / "adapter_model.safetensors").is_file()


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng speaks the digits")
def test_spoken_digits(load: Callable[..., Any], run: Callable[..., str], tmp_path: Path) -> None:
    example = load("spoken_digits")
    sizes = ("--rows", 16, "--steps", 2, "--held-out", 2, "--folder", tmp_path / "model")
    assert "by voices never heard: " in run(example, *sizes)
    assert (tmp_path / "model" / "vocab.json").is_file()
    row = example["spoken"]("three", voice="en-us+f3", speed=150, pitch=50)
    assert row["sampling_rate"] == 22050
    assert 0.2 < len(row["array"]) / row["sampling_rate"] < 2
    assert np.abs(row["array"]).max() > 0.1
    assert not set(example["HEARD"]) & set(example["NEW"])
    assert [example["nearest"](word) for word in ("seve", "tree", "nine")] == ["seven", "three", "nine"]
    assert example["distance"](["one", "two", "three"], ["one", "three", "four"]) == 2
