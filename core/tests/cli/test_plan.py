"""`modelry plan`: a table, JSON, a picture, and refusals before anything is read."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from kernel_toys import NoteConfig, NoteForCausalLM

from modelry.cli.plan import plan, read_memory
from modelry.cli.plan_table import in_short

pytestmark = pytest.mark.usefixtures("registry")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    NoteForCausalLM.from_config(NoteConfig(hidden_size=64, num_hidden_layers=4)).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(plan, [str(word) for word in words])


def test_a_table_and_a_picture(folder: Path, tmp_path: Path) -> None:
    done = call(folder, "--memory", "cpu=70KB,cuda:3=40KB", "--context", "10", "--picture", tmp_path / "out.svg")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].startswith("NoteForCausalLM in float32: ")
    assert "and a cache of 20.5 kB" in lines[0]
    assert [line.split()[0] for line in lines[2:6]] == ["device", "cuda:3", "cpu", "Drawn"]
    assert "model.layers.0" in lines[3]
    assert "model.layers.1-3" in lines[4]
    picture = ET.parse(tmp_path / "out.svg").getroot()
    texts = [element.text for element in picture.iter() if element.text]
    assert {"cuda:3", "cpu", "cache", "model.layers"} <= set(texts)
    assert any(text.startswith("model.layers.1: ") for text in texts)


def test_values(folder: Path) -> None:
    done = call(folder, "--memory", "cpu=60KB", "--json", "--quantization", "toy8", "--quantization-set", "levels=63")
    values = json.loads(done.stdout)
    assert values["quantization"] == "toy8"
    assert values["computes_disk"] is None
    (row,) = values["devices"]
    assert row["weights"] == values["bytes"]
    assert row["free"] == 60_000 - values["bytes"]
    assert set(values["device_map"].values()) == {"cpu"}
    on_disk = json.loads(call(folder, "--memory", "cpu=50KB", "--json").stdout)
    assert on_disk["computes_disk"] == "cpu"
    assert [row["device"] for row in on_disk["devices"]] == ["cpu", "disk"]
    assert "disk" in on_disk["device_map"].values()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--memory", "cpu"), "'cpu' is not DEVICE=SIZE"),
        (("--memory", "cpu=1GB,cpu=2GB"), "names cpu twice"),
        (("--memory", "cuda=1GB,cuda:0=2GB"), "names a device twice"),
        (("--memory", "gpu=1GB"), "'gpu' is no device"),
        (("--memory", "cpu=lots"), "'lots' is no size"),
        (("--memory", "disk=1GB"), "names no device that computes"),
        (("--memory", "cpu=1KB"), "cpu may take 1,000 bytes"),
        (("--picture", "out.png"), "name a file that ends in .svg"),
        (("--dtype", "float7"), "float7"),
    ],
)
def test_refusals(folder: Path, words: tuple[str, ...], said: str) -> None:
    done = call(folder, *words)
    assert done.exit_code in (1, 2)
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_reading() -> None:
    assert read_memory("cpu=8GB, cuda:0=24GB,1=500") == {"cpu": "8GB", "cuda:0": "24GB", 1: 500}
    assert read_memory(None) is None
    assert in_short(["a.0", "a.1", "b", "a.2", "c.x", "d.4"]) == "a.0-1, b, a.2, c.x, d.4"
