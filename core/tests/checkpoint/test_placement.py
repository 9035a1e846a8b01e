"""Which part goes to which device."""

from pathlib import Path
from typing import Any

import pytest
import torch
from kernel_toys import NoteConfig, NoteForCausalLM
from torch import nn

from modelry.checkpoint.filling import DISK
from modelry.checkpoint.placement import Placement, place, refuse_to_part, room_of, size_in_bytes
from modelry.errors import PlacementError

pytestmark = pytest.mark.usefixtures("registry")

CPU, FAST, FASTER = torch.device("cpu"), torch.device("cuda", 1), torch.device("cuda", 0)


def on_meta() -> tuple[NoteForCausalLM, dict[str, int]]:
    with torch.device("meta"):
        model = NoteForCausalLM(NoteConfig(tie_word_embeddings=False))
    return model, {name: tensor.nbytes for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize(
    ("text", "count"), [("10GB", 10**10), ("1.5 GiB", 3 * 2**29), (7, 7), (7.9, 7), ("100B", 100), ("2kb", 2000)]
)
def test_sizes(text: str | int, count: int) -> None:
    assert size_in_bytes(text) == count


@pytest.mark.parametrize("text", ["", "ten GB", "10", "-1GB", 0, "0GB", None, True, float("inf")])
def test_what_is_no_size(text: Any) -> None:
    with pytest.raises(PlacementError, match="is no size"):
        size_in_bytes(text)


def test_the_longest_path_decides() -> None:
    places = {"": CPU, "model.layers": FAST, "model.layers.1": FASTER, "model.norm": DISK}
    placement = Placement(places, FASTER)
    assert placement.place_of("model.layers.1.dense.weight") == FASTER
    assert placement.place_of("model.layers.10.dense.weight") == FAST
    assert placement.place_of("lm_head.weight") == CPU
    assert placement.device_of("model.norm.weight") == CPU, "mapped"
    assert placement.computing_device("model.norm") == FASTER
    assert placement.published() == {"": "cpu", "model.layers": 1, "model.layers.1": 0, "model.norm": "disk"}
    assert Placement({"model": FAST, "lm_head": CPU}, FAST).place_of("computed_buffer") == FAST


def test_maps_that_are_wrong() -> None:
    model, sizes = on_meta()
    with pytest.raises(PlacementError, match=r"names model\.layer, which NoteForCausalLM does not have"):
        place(model, {"": "cpu", "model.layer": "cpu"}, sizes)
    with pytest.raises(PlacementError, match=r"says nothing of lm_head\.weight"):
        place(model, {"model": "cpu"}, sizes)
    with pytest.raises(PlacementError, match="'gpu' is no device"):
        place(model, "gpu", sizes)
    with pytest.raises(PlacementError, match="device_map is empty"):
        place(model, {}, sizes)
    with pytest.raises(PlacementError, match=r"'cpu' .*max_memory is for device_map='auto'|max_memory is for .*'cpu'"):
        place(model, "cpu", sizes, {"cpu": "1GB"})
    with pytest.raises(PlacementError, match=r"sends lm_head\.weight to disk and .* to cpu, and they are one tensor"):
        place(model, {"": "cpu", "lm_head": "disk"}, sizes, tied={"lm_head.weight": "model.embed_tokens.weight"})
    with pytest.raises(PlacementError, match="cuda:99 does not exist"):
        place(model, 99, sizes)
    with pytest.raises(PlacementError, match=r"names 0, model\.layrs\.1, which .*; it has "):
        place(model, {"": "cpu", 0: "cpu", "model.layrs.1": "cpu"}, sizes)  # type: ignore[dict-item]  # a user's mistake
    with pytest.raises(PlacementError, match="device xpu:0 does not exist here"):
        place(model, "xpu", sizes)
    with pytest.raises(PlacementError, match="names a device twice: 'cpu', 'cpu:0'"):
        place(model, "auto", sizes, {"cpu": "1GB", "cpu:0": "2GB"})


def test_a_path_may_be_of_a_tensor_and_the_loose_ones_stay_in_memory() -> None:
    model, sizes = on_meta()
    placement = place(model, {"model": "disk", "lm_head.weight": "cpu"}, sizes)
    assert placement.places == {"model": DISK, "lm_head.weight": CPU, "model.angles": CPU}


def test_a_module_s_own_tensors_stay_together() -> None:
    """They are added up in its forward: on two devices that failed there."""
    model, gpu, cpu = nn.Module(), torch.device("cuda:0"), torch.device("cpu")
    model.first, model.second = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    model.layers = nn.ModuleList([nn.Linear(2, 2)])
    refuse_to_part(model, Placement({"": gpu, "layers.0": cpu}, gpu))
    refuse_to_part(model, Placement({"": gpu, "first": "disk"}, gpu))
    with pytest.raises(PlacementError, match=r"sends first to cuda:0 and second to cpu, and Module computes with both"):
        refuse_to_part(model, Placement({"": gpu, "second": cpu}, gpu))


def test_memory_names_a_device_that_computes() -> None:
    assert room_of({DISK: "3GB", CPU: "2GB", FAST: "1GB", FASTER: 5}) == {
        FASTER: 5, FAST: 10**9, CPU: 2 * 10**9, DISK: 3 * 10**9,
    }  # fmt: skip
    assert list(room_of({CPU: 1})) == [CPU, DISK], "there is always a disk"
    with pytest.raises(PlacementError, match="names no device that computes"):
        room_of({DISK: "3GB"})


def test_a_device_that_may_take_nothing_is_left_out() -> None:
    assert room_of({FASTER: 0, FAST: "1GB", CPU: "0GB", DISK: 0}) == {FAST: 10**9, DISK: 0}
    with pytest.raises(PlacementError, match="names no device that computes"):
        room_of({CPU: 0, DISK: "3GB"})
    with pytest.raises(PlacementError, match=r"the memory of cuda:1: -5 is no size; write"):
        room_of({CPU: "1GB", FAST: -5})


@pytest.mark.parametrize("memory", [{}, ["1GB"], "1GB"])
def test_memory_is_given_by_device(memory: Any) -> None:
    with pytest.raises(PlacementError, match=r"max_memory is .*; give memory by device"):
        place(torch.nn.Linear(2, 2), "auto", {}, memory)


def test_the_meta_device_is_no_place() -> None:
    with pytest.raises(PlacementError, match="'meta' keeps no values"):
        place(torch.nn.Linear(2, 2), "meta", {})


def test_loading_with_a_map(tmp_path: Path) -> None:
    model = NoteForCausalLM.from_config(NoteConfig())
    model.save_pretrained(tmp_path)
    ids = torch.tensor([[1, 2]])
    for device_map in ("cpu", "auto", {"": "cpu"}, {"model": "cpu", "lm_head": torch.device("cpu")}):
        loaded = NoteForCausalLM.from_pretrained(tmp_path, device_map=device_map)
        assert loaded(ids).equal(model(ids))
        assert set(loaded.hf_device_map.values()) == {"cpu"}
    assert not hasattr(model, "hf_device_map"), "packages take its presence for a placement"
    with pytest.raises(PlacementError, match="cpu may take 100 bytes, and to compute what lies on disk it needs"):
        NoteForCausalLM.from_pretrained(tmp_path, device_map="auto", max_memory={"cpu": 100})
    NoteForCausalLM.from_pretrained(tmp_path, device_map="auto", max_memory={"cpu": "1MB"})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_two_devices_give_the_same_answer(tmp_path: Path) -> None:
    model = NoteForCausalLM.from_config(NoteConfig(tie_word_embeddings=False))
    model.save_pretrained(tmp_path)
    device_map = {"": "cpu", "model.layers.1": 0, "model.norm": 0}
    split = NoteForCausalLM.from_pretrained(tmp_path, device_map=device_map)
    assert split.model.norm.weight.device.type == "cuda"
    ids = torch.tensor([[1, 2]])
    assert torch.allclose(split(ids).cpu(), model(ids), atol=1e-5)
