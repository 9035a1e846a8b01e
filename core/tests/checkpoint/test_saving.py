"""Saving is all or nothing, in the published format, and tied weights are written once."""

import json
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from kernel_toys import NoteConfig, NoteForCausalLM, NoteModel
from safetensors.torch import load_file

from modelry.checkpoint import saving
from modelry.errors import CheckpointError, PlacementError
from modelry.generation import GenerationConfig

pytestmark = pytest.mark.usefixtures("registry")


@pytest.fixture
def model() -> NoteForCausalLM:
    """Random weights."""
    return NoteForCausalLM.from_config(NoteConfig())


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_published_files(model: NoteForCausalLM, tmp_path: Path) -> None:
    model.generation_config = GenerationConfig(max_new_tokens=5)
    model.save_pretrained(tmp_path / "a" / "b")
    assert sorted(contents(tmp_path / "a" / "b")) == ["config.json", "generation_config.json", "model.safetensors"]
    config = json.loads((tmp_path / "a" / "b" / "config.json").read_text())
    assert config["architectures"] == ["NoteForCausalLM"]
    assert config["dtype"] == "float32"
    assert NoteForCausalLM.from_pretrained(tmp_path / "a" / "b").generation_config.max_new_tokens == 5


def test_tied_tensors_are_written_once(model: NoteForCausalLM, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    assert "lm_head.weight" not in load_file(tmp_path / "model.safetensors")
    untied = NoteForCausalLM.from_config(NoteConfig(tie_word_embeddings=False))
    untied.save_pretrained(tmp_path)
    assert "lm_head.weight" in load_file(tmp_path / "model.safetensors")


def test_shards_and_their_index(model: NoteForCausalLM, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path, max_shard_size="1KB")
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == sum(p.numel() * 4 for p in model.parameters())
    for name, file in index["weight_map"].items():
        assert name in load_file(tmp_path / file)
    for file in set(index["weight_map"].values()):
        tensors = load_file(tmp_path / file).values()
        assert len(tensors) == 1 or sum(tensor.nbytes for tensor in tensors) <= 1000
    with pytest.raises(PlacementError, match="'much' is no size"):
        model.save_pretrained(tmp_path, max_shard_size="much")


def test_files_of_an_older_save_go_away(model: NoteForCausalLM, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path, max_shard_size=600)
    (tmp_path / "notes.txt").write_text("mine")
    model.save_pretrained(tmp_path)
    assert sorted(contents(tmp_path)) == ["config.json", "model.safetensors", "notes.txt"]
    model.save_pretrained(tmp_path, max_shard_size=600)
    assert "model.safetensors" not in contents(tmp_path)


@pytest.mark.parametrize("tied", [True, False])
def test_tensors_that_somebody_else_has_gathered(tied: bool, tmp_path: Path) -> None:
    """As launchers hand them over that keep a model in parts: {"state_dict": …, "is_main_process": …}."""
    model = NoteForCausalLM.from_config(NoteConfig(tie_word_embeddings=tied))
    given = {name: one + 1 for name, one in model.state_dict().items()}
    model.save_pretrained(tmp_path / "other", is_main_process=False, state_dict={})
    assert not (tmp_path / "other").exists()
    model.save_pretrained(tmp_path, is_main_process=True, state_dict=given, save_function=print)
    again = NoteForCausalLM.from_pretrained(tmp_path).state_dict()
    assert all(torch.equal(one, again[name]) for name, one in given.items())
    for wrong, message in (
        ({**given, "more": torch.ones(1)}, r"has, and the model has not, more$"),
        ({"model.norm.bias": given["model.norm.bias"]}, r"lacks .*, .* and \d more$"),
        ({**given, "model.norm.bias": torch.ones(3)}, r"has in another shape model\.norm\.bias$"),
    ):
        with pytest.raises(CheckpointError, match=message):
            model.save_pretrained(tmp_path, state_dict=wrong)
    again = NoteForCausalLM.from_pretrained(tmp_path).state_dict()
    assert all(torch.equal(one, again[name]) for name, one in given.items())


@pytest.mark.parametrize("size", ["1GB", 300])
def test_a_variant_is_written_beside_what_is_there(model: NoteForCausalLM, tmp_path: Path, size: str | int) -> None:
    model.save_pretrained(tmp_path)
    before = contents(tmp_path)
    for again in (500, size):
        model.half().save_pretrained(tmp_path, variant="fp16", max_shard_size=again)
    found = contents(tmp_path)
    assert found["model.safetensors"] == before["model.safetensors"]
    shards = {name for name in found if re.fullmatch(r"model\.fp16-\d{5}-of-\d{5}\.safetensors", name)}
    listed = {"model.fp16.safetensors"} if size == "1GB" else {"model.safetensors.index.fp16.json", *shards}
    assert found.keys() - before.keys() == listed
    assert NoteForCausalLM.from_pretrained(tmp_path, variant="fp16").dtype == torch.float16


def test_what_saving_does_not_know(model: NoteForCausalLM, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"cannot be saved with state_dicts: is_main_process, max_shard_size"):
        model.save_pretrained(tmp_path / "new", state_dicts={})
    with pytest.raises(CheckpointError, match=r"safe_serialization=False asks for a pickled file"):
        model.save_pretrained(tmp_path / "new", safe_serialization=False)
    with pytest.raises(CheckpointError, match=r"variant '\.\./x' cannot be read back"):
        model.save_pretrained(tmp_path / "new", variant="../x")
    assert not (tmp_path / "new").exists()


def test_no_folder_and_no_values(model: NoteForCausalLM, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="is a file"):
        model.save_pretrained(tmp_path / "file")
    with torch.device("meta"):
        empty = NoteModel(NoteConfig())
    with pytest.raises(CheckpointError, match=r"embed_tokens\.weight.* has no values"):
        empty.save_pretrained(tmp_path / "new")


# A full disk and a killed process

PREPARE = """
import os, resource, signal, sys
from kernel_toys import FAMILIES, NoteConfig, NoteForCausalLM
from modelry_registry import get_registry, use_registry
with use_registry(get_registry().extended(*FAMILIES, distribution="kernel-toys")):
    model = NoteForCausalLM.from_config(NoteConfig(hidden_size=64, num_hidden_layers=4))
"""


@pytest.mark.parametrize("shards", ["10GB", 20_000])
def test_a_full_disk_leaves_the_old_files_whole(
    model: NoteForCausalLM, tmp_path: Path, run_fresh: Callable[..., str], shards: str | int
) -> None:
    model.save_pretrained(tmp_path)
    before = contents(tmp_path)
    code = (
        PREPARE
        + f"""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (15_000, 15_000))  # the kernel refuses to write further
    try:
        model.save_pretrained({str(tmp_path)!r}, max_shard_size={shards!r})
    except OSError as error:
        print(type(error).__name__, error.strerror)
"""
    )
    assert run_fresh(code).strip() == "OSError File too large"
    assert contents(tmp_path) == before, "the old files are whole, and nothing else is left"


def test_no_space_at_the_last_moment(model: NoteForCausalLM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model.save_pretrained(tmp_path)
    before = contents(tmp_path)

    def full(path: Path, tensors: object, **more: object) -> None:
        path.write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saving, "write_safetensors", full)
    with pytest.raises(OSError, match=rf"No space left on device: '{re.escape(str(tmp_path))}'"):
        model.save_pretrained(tmp_path)
    assert contents(tmp_path) == before


def test_a_disk_that_says_late_that_it_is_full(
    model: NoteForCausalLM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the second file is flushed: the first one may not have been renamed."""
    model.save_pretrained(tmp_path)
    before, flushed = contents(tmp_path), []

    def full(handle: int) -> None:
        flushed.append(handle)
        if len(flushed) > 1:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        NoteForCausalLM.from_config(NoteConfig(num_hidden_layers=3)).save_pretrained(tmp_path)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("moment", ["os.fsync", "modelry.checkpoint.saving.config_text", "os.replace"])
def test_a_killed_process_leaves_the_old_files_whole(
    model: NoteForCausalLM, tmp_path: Path, run_fresh: Callable[..., str], moment: str
) -> None:
    model.save_pretrained(tmp_path)
    before = contents(tmp_path)
    module, _, name = moment.rpartition(".")
    code = (
        PREPARE
        + f"""
    import importlib
    kill = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
    setattr(importlib.import_module({module!r}), {name!r}, kill)
    model.save_pretrained({str(tmp_path)!r})
"""
    )
    run_fresh(code, expect=-signal.SIGKILL)
    assert {name: data for name, data in contents(tmp_path).items() if not name.endswith(".part")} == before
    NoteForCausalLM.from_pretrained(tmp_path)
    model.save_pretrained(tmp_path)


def test_home_is_where_it_is_read_from(model: NoteForCausalLM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    model.save_pretrained("~/saved")
    model.config.save_pretrained("~/config")
    assert not (tmp_path / "~").exists()
    assert NoteForCausalLM.from_pretrained("~/saved").lm_head.weight.equal(model.lm_head.weight)
    assert (tmp_path / "home" / "config" / "config.json").is_file()


def test_files_have_the_usual_mode(model: NoteForCausalLM, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    (tmp_path / "ordinary").touch()
    assert (tmp_path / "model.safetensors").stat().st_mode == (tmp_path / "ordinary").stat().st_mode
