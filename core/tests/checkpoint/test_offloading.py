"""Parts that stay on disk come when their turn has come, and go."""

import copy
import pickle
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from kernel_toys import NoteConfig, NoteForCausalLM
from safetensors.torch import load_file

from modelry.checkpoint.offloading import Offloaded
from modelry.checkpoint.placement import Placement
from modelry.checkpoint.regions import Region
from modelry.errors import PlacementError
from modelry.nn.fuse import fuse_projections

pytestmark = pytest.mark.usefixtures("registry")

IDS = torch.tensor([[1, 2, 3]])
SIZES = {"hidden_size": 64, "num_hidden_layers": 3}


@pytest.fixture
def model(tmp_path: Path) -> NoteForCausalLM:
    """In memory, and saved in the folder `model`."""
    torch.manual_seed(0)
    made = NoteForCausalLM.from_config(NoteConfig(**SIZES))
    made.save_pretrained(tmp_path / "model")
    return made.eval()


@pytest.mark.parametrize(
    "device_map", ["disk", {"": "disk"}, {"": "cpu", "model.layers.1": "disk"}, {"model": "disk", "lm_head": "disk"}]
)
def test_the_same_answer_from_disk(model: NoteForCausalLM, tmp_path: Path, device_map: object) -> None:
    placed = NoteForCausalLM.from_pretrained(tmp_path / "model", device_map=device_map)
    for _ in range(2):
        assert placed(IDS).equal(model(IDS))
    assert "disk" in placed.hf_device_map.values()
    assert placed.device == torch.device("cpu")
    assert not any(one.requires_grad for one in placed.get_submodule("model.layers.1").parameters())
    assert fuse_projections(placed) == 0


@pytest.mark.parametrize("made", [copy.deepcopy, pickle.dumps])
def test_no_copies(model: NoteForCausalLM, tmp_path: Path, made: Callable[[object], object]) -> None:
    placed = NoteForCausalLM.from_pretrained(tmp_path / "model", device_map="disk")
    with pytest.raises(PlacementError, match="stay on disk, and such a model is neither copied nor pickled: load it"):
        made(placed)
    assert placed(IDS).equal(model(IDS))


def test_as_much_as_memory_holds(model: NoteForCausalLM, tmp_path: Path) -> None:
    layer = sum(one.nbytes for one in model.model.layers[0].parameters())
    options = {"device_map": "auto", "max_memory": {"cpu": 3 * layer + model.lm_head.weight.nbytes}}
    placed = NoteForCausalLM.from_pretrained(tmp_path / "model", **options)
    on_disk = [path for path, place in placed.hf_device_map.items() if place == "disk"]
    assert on_disk == ["model.layers.1", "model.layers.2", "model.norm"]
    assert placed.hf_device_map["lm_head"] == placed.hf_device_map["model.embed_tokens"] == "cpu"
    assert placed(IDS).equal(model(IDS))


def test_another_dtype_is_written_once(model: NoteForCausalLM, tmp_path: Path) -> None:
    options = {"dtype": "bfloat16", "device_map": {"": "disk", "model.norm": "cpu"}}
    with pytest.raises(PlacementError, match=r"stored in another dtype or layout .* give offload_folder, where"):
        NoteForCausalLM.from_pretrained(tmp_path / "model", **options)
    assert not (tmp_path / "disk").exists()
    placed = NoteForCausalLM.from_pretrained(
        tmp_path / "model", offload_folder=str(tmp_path / "disk"), offload_state_dict=True, **options
    )
    expected = NoteForCausalLM.from_pretrained(tmp_path / "model", dtype="bfloat16")
    assert placed(IDS).equal(expected(IDS))
    assert sorted(path.name for path in (tmp_path / "disk").iterdir()) == [
        "model.embed_tokens.safetensors", *(f"model.layers.{number}.safetensors" for number in range(3)),
    ]  # fmt: skip


def test_packed_layers_on_disk(model: NoteForCausalLM, tmp_path: Path) -> None:
    options = {"quantization": "toy8", "device_map": "disk", "offload_folder": tmp_path / "disk"}
    placed = NoteForCausalLM.from_pretrained(tmp_path / "model", **options)
    expected = NoteForCausalLM.from_pretrained(tmp_path / "model", quantization="toy8")
    assert placed(IDS).equal(expected(IDS))
    placed.save_pretrained(tmp_path / "packed")
    again = NoteForCausalLM.from_pretrained(tmp_path / "packed", device_map="disk")
    assert again(IDS).equal(expected(IDS)), "as they are stored, without a folder"


def test_it_can_be_saved_and_not_moved(model: NoteForCausalLM, tmp_path: Path) -> None:
    placed = NoteForCausalLM.from_pretrained(tmp_path / "model", device_map={"": "cpu", "model.layers": "disk"})
    placed.save_pretrained(tmp_path / "again")
    saved, tensors = (
        load_file(tmp_path / "again" / "model.safetensors"),
        load_file(tmp_path / "model/model.safetensors"),
    )
    assert saved.keys() == tensors.keys()
    assert all(saved[name].equal(tensors[name]) for name in saved)
    for move in (lambda: placed.to("cpu"), placed.half, placed.float):
        with pytest.raises(PlacementError, match=r"everything on 'cpu'; model\.layers on 'disk'\) and cannot be moved"):
            move()
    placed.save_pretrained(tmp_path / "model")
    assert placed(IDS).equal(model(IDS)), "over the file it reads from"


def test_a_failed_pass_leaves_nothing_behind(model: NoteForCausalLM, tmp_path: Path) -> None:
    placed = NoteForCausalLM.from_pretrained(tmp_path / "model", device_map="disk")
    with pytest.raises(IndexError):
        placed(torch.tensor([[99]]))
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        placed.model.layers[1](IDS.float(), None)
    assert placed(IDS).equal(model(IDS))


def test_two_threads_at_a_time(model: NoteForCausalLM, tmp_path: Path) -> None:
    placed = NoteForCausalLM.from_pretrained(tmp_path / "model", device_map="disk")
    expected, wrong = model(IDS), []

    def run() -> None:
        wrong.extend(1 for _ in range(20) if not placed(IDS).equal(expected))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_on_another_device_tensors_are_copied_there_and_back_home() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 2))
    homes = [parameter.data_ptr() for parameter in model.parameters()]
    seen: list[str] = []
    for layer in model:
        layer.forward = lambda x, layer=layer: seen.append(layer.weight.device.type) or x
    regions: dict[int, Region] = {}
    model.offloaded = Offloaded(model, Placement({"": "disk"}, torch.device("meta")), regions)
    model(torch.ones(1, 2))
    assert seen == ["meta"] * 3
    assert [parameter.data_ptr() for parameter in model.parameters()] == homes


def test_what_was_read_for_another_order_is_forgotten(model: NoteForCausalLM, tmp_path: Path) -> None:
    placed = NoteForCausalLM.from_pretrained(tmp_path / "model", device_map={"": "cpu", "model.layers": "disk"})
    x, angles = torch.ones(1, 64), torch.zeros(64)
    layers = placed.model.layers
    for number in (0, 2, 1, 0, 2, 1):  # first and then last: 1 was sent for, and is not what came
        assert layers[number](x, angles).equal(model.model.layers[number](x, angles))
