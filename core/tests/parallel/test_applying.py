"""Dividing a model, here over one process; over several: tests/parallel of the repository."""

import copy
from pathlib import Path

import pytest
import torch
from kernel_toys import NoteConfig, NoteForCausalLM
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor

from modelry import AutoModelForCausalLM
from modelry.errors import ConfigError, ParallelError
from modelry.parallel import parallelize
from modelry.parallel.state import is_divided

IDS = torch.tensor([[3, 5, 7, 9]])


def test_a_divided_model_is_the_same_model(small, mesh: DeviceMesh, tmp_path: Path) -> None:
    model = small(tie_word_embeddings=True)
    names, kind, wanted = list(dict(model.named_parameters())), type(model), model(IDS).logits
    model.save_pretrained(tmp_path / "before")
    parallelize(model, mesh)
    assert is_divided(model)
    assert all(isinstance(one, DTensor) for one in model.parameters())
    assert isinstance(model.lm_head.weight, DTensor), "what is read outside of forward is the parameter"
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert list(dict(model.named_parameters())) == names
    assert isinstance(model, kind)
    assert type(model).__name__ == kind.__name__
    torch.testing.assert_close(model(IDS).logits, wanted)
    model(IDS, labels=IDS).loss.backward()
    assert all(isinstance(one.grad, DTensor) for one in model.parameters())
    model.save_pretrained(tmp_path / "after")
    for file in ("model.safetensors", "config.json"):
        assert (tmp_path / "before" / file).read_bytes() == (tmp_path / "after" / file).read_bytes()


def test_a_copy_is_divided_too(small, mesh: DeviceMesh) -> None:
    model = small()
    parallelize(model, mesh)
    copied = copy.deepcopy(model).to(torch.bfloat16)
    assert {one.dtype for one in copied.parameters()} == {torch.bfloat16}
    assert {one.dtype for one in model.parameters()} == {torch.float32}
    torch.testing.assert_close(copied(IDS).logits.float(), model(IDS).logits, rtol=0.1, atol=0.01)


def test_several_files(small, mesh: DeviceMesh, tmp_path: Path) -> None:
    model = small()
    model.save_pretrained(tmp_path / "before", max_shard_size=4000)
    parallelize(model, mesh)
    model.save_pretrained(tmp_path / "after", max_shard_size=4000)
    files = sorted(path.name for path in (tmp_path / "before").iterdir())
    assert len(files) > 3
    assert files == sorted(path.name for path in (tmp_path / "after").iterdir())
    for file in files:
        assert (tmp_path / "before" / file).read_bytes() == (tmp_path / "after" / file).read_bytes()


def test_a_save_that_fails_leaves_what_was_there(small, mesh: DeviceMesh, tmp_path: Path, monkeypatch) -> None:
    model = small()
    parallelize(model, mesh)
    model.save_pretrained(tmp_path)
    before = (tmp_path / "model.safetensors").read_bytes()

    def full(*arguments: object, **named: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("modelry.checkpoint.saving.write_safetensors", full)
    with pytest.raises(OSError, match="no space left"):
        model.save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == before


def test_other_models_of_the_class_are_left_alone(small, mesh: DeviceMesh) -> None:
    one, other = small(), small()
    parallelize(one, mesh)
    assert not is_divided(other)
    assert not hasattr(other.lm_head, "tp_share")
    other(IDS)


def test_what_cannot_be_is_refused(small, mesh: DeviceMesh) -> None:
    with pytest.raises(ParallelError, match=r"NoteForCausalLM has no tensor-parallel plan: .* NoteConfig"):
        parallelize(NoteForCausalLM(NoteConfig()), mesh)
    model = small()
    grid = init_device_mesh("cpu", (1, 1), mesh_dim_names=("dp", "tp"))
    with pytest.raises(ParallelError, match=r"2 dimensions, \('dp', 'tp'\)"):
        parallelize(model, grid)
    assert not is_divided(model)
    parallelize(model, grid["tp"])
    with pytest.raises(ParallelError, match="already"):
        parallelize(model, mesh)
    with pytest.raises(ConfigError, match="before it is divided"):
        model.resize_token_embeddings(40)


@pytest.mark.usefixtures("registry")
def test_without_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    NoteForCausalLM(NoteConfig()).save_pretrained(tmp_path)
    with pytest.raises(ParallelError, match="torchrun"):
        AutoModelForCausalLM.from_pretrained(tmp_path, tp_plan="auto")
