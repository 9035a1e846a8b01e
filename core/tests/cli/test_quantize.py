"""`modelry quantize` with the kernel's toys; with real schemes: tests/test_quantize.py."""

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from kernel_toys import NoteConfig, NoteForCausalLM, ToyQuantizer

from modelry import AutoModelForCausalLM
from modelry.cli.quantize import quantize
from modelry_testing.hub_server import HubServer

pytestmark = pytest.mark.usefixtures("registry")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A float model and no tokenizer."""
    torch.manual_seed(0)
    NoteForCausalLM.from_config(NoteConfig()).save_pretrained(tmp_path / "float")
    return tmp_path / "float"


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(quantize, [str(word) for word in words])


def test_a_packed_model_in_a_new_folder(folder: Path, tmp_path: Path) -> None:
    done = call(folder, "--scheme", "toy8", "--levels", "63", tmp_path / "new" / "packed")
    assert done.exit_code == 0, done.output
    assert "model.layers.*.dense" in done.stdout
    assert "not packed" in done.stdout
    assert "No tokenizer or processor is copied" in done.stderr
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["packed"], "nothing is left beside it"
    config = json.loads((tmp_path / "new" / "packed" / "config.json").read_text())
    assert config["quantization_config"] == {"quant_method": "toy8", "levels": 63}
    ours = AutoModelForCausalLM.from_pretrained(tmp_path / "new" / "packed").state_dict()
    theirs = AutoModelForCausalLM.from_pretrained(folder, quantization=config["quantization_config"]).state_dict()
    assert all(ours[name].equal(theirs[name]) for name in theirs)


def test_json(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    values = json.loads(call(folder, tmp_path / "out", "--scheme", "toy8", "--json").stdout)
    assert values["scheme"] == {"quant_method": "toy8", "levels": 127}
    assert [(row["layers"], row["count"]) for row in values["groups"]] == [("model.layers.*.dense", 2), ("lm_head", 1)]
    layer = values["groups"][0]
    assert (layer["bytes_before"], layer["bytes_after"]) == (2 * 64 * 4, 2 * (64 + 8 * 4))
    stored = {
        name: tensor.nbytes
        for name, tensor in AutoModelForCausalLM.from_pretrained(tmp_path / "out").state_dict().items()
    }
    assert values["total"]["bytes_after"] == sum(stored.values())


@pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning")  # huggingface_hub's own, on LFS uploads
def test_hub_in_and_out(folder: Path, tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", hub.token)
    hub.add("some/model", {path.name: path.read_bytes() for path in folder.iterdir()})
    done = call("some/model", "--scheme", "toy8", "--push", "some/packed", tmp_path / "out")
    assert done.exit_code == 0, done.output
    pushed = hub.files("some/packed")
    assert pushed["model.safetensors"] == (tmp_path / "out" / "model.safetensors").read_bytes()
    assert "Uploaded: " in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["{folder}", "{out}", "--scheme", "toy9"], 1, "toy8"),
        (["{folder}", "{out}", "--scheme", "toy8", "--levels", "0"], 1, "levels is 0"),
        (
            ["{folder}", "{out}", "--scheme", "toy8", "--colour", "red"],
            2,
            "toy8 has no parameter --colour; it has --levels",
        ),
        (["{folder}", "--scheme", "toy8"], 2, "REF and OUT are needed"),
        (["--scheme", "toy8"], 2, "given: neither"),
        (["{folder}", "{out}"], 2, "--scheme"),
        (["{folder}", "{folder}", "--scheme", "toy8"], 2, "exists and is not empty; name a new folder"),
        (["{folder}", "{folder}/config.json", "--scheme", "toy8"], 2, "config.json exists; name a new folder"),
        (["{folder}/nowhere", "{out}", "--scheme", "toy8"], 1, "nowhere"),
        (["{folder}", "{out}", "--scheme", "toy8", "--dtype", "float31"], 1, "float31"),
    ],
)
def test_what_is_refused_leaves_nothing(folder: Path, tmp_path: Path, words: list[str], code: int, told: str) -> None:
    done = call(*(word.format(folder=folder, out=tmp_path / "out") for word in words))
    assert done.exit_code == code
    assert told in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["float"]


def test_a_run_that_fails_at_the_end_leaves_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object, **named: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(NoteForCausalLM, "save_pretrained", full)
    done = call(folder, tmp_path / "out", "--scheme", "toy8")
    assert done.exit_code == 1
    assert "No space left" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["float"]


def test_a_run_that_runs_out_of_memory_says_so(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **named: object) -> None:
        raise MemoryError("no more")

    monkeypatch.setattr(ToyQuantizer, "pack", full)
    done = call(folder, tmp_path / "out", "--scheme", "toy8")
    assert (done.exit_code, done.stderr) == (1, "Error: MemoryError: no more\n")
    assert [path.name for path in tmp_path.iterdir()] == ["float"]
