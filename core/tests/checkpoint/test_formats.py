"""Which format reads a file, also where its name is that of a pickled one or its folder is another tool's."""

import json
from pathlib import Path
from typing import Any

import pytest
from kernel_toys import NoteConfig, NoteForCausalLM

from modelry import AutoConfig, AutoModelForCausalLM
from modelry.checkpoint.formats import format_of, locate
from modelry.errors import ConfigError, NotFound, UnsafeCheckpoint
from modelry.preprocessing.configured_preprocessor import ConfiguredPreprocessor
from modelry_testing.hub_server import HubServer

pytestmark = pytest.mark.usefixtures("registry")

THEIRS = json.dumps({"of": "another tool"})


class Settings(ConfiguredPreprocessor):
    role = "image-processor"
    file_name = "preprocessor_config.json"
    type_key = "image_processor_type"


def box(**more: Any) -> str:
    """A whole model in the toy format."""
    config = NoteConfig(hidden_size=4, vocab_size=6)
    model = NoteForCausalLM(config)
    tensors = {name: value.tolist() for name, value in model.state_dict().items()}
    return json.dumps({"config": config.to_dict(), "tensors": tensors, **more})


def test_a_folder_of_another_tool(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(THEIRS)
    (tmp_path / "box.bin").write_text(box(preprocessor={"size": 3}))
    assert locate(tmp_path).single == tmp_path / "box.bin"
    assert format_of(tmp_path / "box.bin") == "box"
    assert AutoConfig.from_pretrained(tmp_path).hidden_size == 4
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert model.generation_config.max_new_tokens == 7
    assert Settings.from_pretrained(locate(tmp_path)).size == 3


def test_a_model_type_decides_first(tmp_path: Path) -> None:
    NoteForCausalLM(NoteConfig(hidden_size=8)).save_pretrained(tmp_path)
    (tmp_path / "box.bin").write_text(box())
    assert locate(tmp_path).single is None
    assert AutoConfig.from_pretrained(tmp_path).hidden_size == 8


def test_a_pickle_of_the_same_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text(THEIRS)
    (tmp_path / "box.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(UnsafeCheckpoint, match="pickled file"):
        format_of(tmp_path / "box.bin")
    assert locate(tmp_path).single is None
    with pytest.raises(ConfigError, match="has no model_type"):
        AutoModelForCausalLM.from_pretrained(tmp_path)
    monkeypatch.setattr("modelry.checkpoint.formats.known_plugins", lambda: {"checkpoints": {"crate": "modelry-crate"}})
    with pytest.raises(ConfigError, match=r"no model_type, so box\.bin .* crate \(pip install modelry-crate\)"):
        AutoModelForCausalLM.from_pretrained(tmp_path)


def test_a_repository_of_another_tool(hub: HubServer) -> None:
    files = {"config.json": THEIRS, "box.bin": box(), "hints.json": "{}", "README.md": "more"}
    hub.add("org/box", {name: text.encode() for name, text in files.items()})
    assert AutoConfig.from_pretrained("org/box").hidden_size == 4
    assert sorted(hub.fetched()) == ["box.bin", "config.json", "hints.json"]


def test_no_preprocessor_carried(tmp_path: Path) -> None:
    (tmp_path / "box.bin").write_text(box())
    with pytest.raises(NotFound, match="carries no image processor"):
        Settings.from_pretrained(locate(tmp_path))
