"""A plan is what loading does, without a tensor being read."""

import json
from pathlib import Path

import pytest
import torch
from kernel_toys import NoteConfig, NoteForCausalLM

from modelry.checkpoint.filling import DISK
from modelry.checkpoint.placement import published_place
from modelry.checkpoint.planning import make_plan
from modelry.errors import PlacementError
from modelry_testing.hub_server import HubServer

pytestmark = pytest.mark.usefixtures("registry")

CPU, GPU = torch.device("cpu"), torch.device("cuda", 7)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    NoteForCausalLM.from_config(NoteConfig(hidden_size=64, num_hidden_layers=3)).save_pretrained(tmp_path)
    return tmp_path


@pytest.mark.parametrize("quantization", [None, "toy8"])
def test_as_loading_places_it(folder: Path, quantization: str | None) -> None:
    plan = make_plan(folder, memory={CPU: 60_000}, quantization=quantization)
    options = {"device_map": "auto", "max_memory": {"cpu": 60_000}, "offload_folder": folder / "disk"}
    loaded = NoteForCausalLM.from_pretrained(folder, quantization=quantization, **options)
    placed = {path: published_place(place) for path, place in plan.device_map().items()}
    assert placed == loaded.hf_device_map or set(placed.values()) == set(loaded.hf_device_map.values()) == {"cpu"}
    tensors = {one.data_ptr(): one.nbytes for one in loaded.state_dict().values()}
    assert plan.size == sum(tensors.values())
    assert plan.quantization == quantization


def test_a_configuration_alone(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    alone = tmp_path_factory.mktemp("alone") / "config.json"
    values = json.loads((folder / "config.json").read_text())
    alone.write_text(json.dumps(values | {"dtype": "bfloat16"}))
    plan = make_plan(alone)
    assert plan.dtype == "bfloat16"
    assert plan.size == make_plan(folder).size // 2
    assert make_plan(alone, memory={GPU: "1MB"}).filled.main == GPU, "which is not here"
    assert make_plan(alone, dtype="float32").size == make_plan(folder).size


def test_a_cache_lies_with_its_layers(folder: Path) -> None:
    plan = make_plan(folder, memory={CPU: "1MB"}, context=100, batch=2)
    assert plan.cache == 3 * 2 * 2 * 100 * 64 * 4, "layers, keys and values, rows, positions, width, float32"
    assert [part.paths[0] for part in plan.parts if part.cache] == [f"model.layers.{number}" for number in range(3)]
    on_disk = make_plan(folder, memory={CPU: 350_000}, context=100, batch=2)
    assert on_disk.filled.on(DISK)
    assert on_disk.filled.working > 3 * 102_400, "of layers on disk the cache is in memory"


def test_a_model_without_a_cache_has_no_context(tmp_path: Path) -> None:
    config = NoteConfig(architectures=["NoteForSequenceClassification"])
    (tmp_path / "config.json").write_text(json.dumps(config.to_dict()))
    with pytest.raises(PlacementError, match="NoteForSequenceClassification does not generate"):
        make_plan(tmp_path, context=5)


def test_there_is_no_room(folder: Path) -> None:
    with pytest.raises(PlacementError, match="cpu may take 100 bytes"):
        make_plan(folder, memory={CPU: 100})


def test_of_a_repository_only_the_configuration_is_fetched(folder: Path, hub: HubServer) -> None:
    hub.add("org/note", {path.name: path.read_bytes() for path in folder.iterdir()})
    assert make_plan("org/note").size == make_plan(folder).size
    assert {path.rpartition("/")[2] for path in hub.fetched()} == {"config.json"}
