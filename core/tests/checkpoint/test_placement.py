"""Which part goes to which device, and activations that follow."""

from pathlib import Path
from typing import Any

import pytest
import torch
from kernel_toys import NoteConfig, NoteForCausalLM

from modelry.checkpoint.placement import blocks, device_of, fill, move_activations, place, size_in_bytes
from modelry.errors import PlacementError

pytestmark = pytest.mark.usefixtures("registry")

CPU, FAST, FASTER = torch.device("cpu"), torch.device("cuda", 1), torch.device("cuda", 0)


def on_meta() -> tuple[NoteForCausalLM, dict[str, int]]:
    with torch.device("meta"):
        model = NoteForCausalLM(NoteConfig(tie_word_embeddings=False))
    return model, {name: tensor.nbytes for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize(
    ("text", "count"), [("10GB", 10**10), ("1.5 GiB", 3 * 2**29), (7, 7), ("100B", 100), ("2kb", 2000)]
)
def test_sizes(text: str | int, count: int) -> None:
    assert size_in_bytes(text) == count


@pytest.mark.parametrize("text", ["", "ten GB", "10", "-1GB", 0, "0GB", None])
def test_what_is_no_size(text: Any) -> None:
    with pytest.raises(PlacementError, match="is no size"):
        size_in_bytes(text)


def test_layers_stay_whole_and_in_order() -> None:
    model, sizes = on_meta()
    found = list(blocks(model, sizes))
    assert [path for path, _ in found] == [
        "model.angles", "model.embed_tokens", "model.layers.0", "model.layers.1", "model.norm", "lm_head",
    ]  # fmt: skip
    assert sum(size for _, size in found) == sum(sizes.values())


def test_devices_are_filled_in_order() -> None:
    parts = [("a", 5), ("b", 5), ("c", 5), ("d", 1)]
    assert fill(parts, {FASTER: 100}) == {"": FASTER}
    assert fill(parts, {FASTER: 10, CPU: 100}) == {"a": FASTER, "b": FASTER, "c": CPU, "d": CPU}
    assert fill(parts, {FASTER: 1, FAST: 9, CPU: 11}) == {"a": FAST, "b": CPU, "c": CPU, "d": CPU}
    with pytest.raises(PlacementError, match=r"has 16 bytes, and c finds no room .* cpu 5"):
        fill(parts, {FASTER: 5, CPU: 5})


def test_the_longest_path_decides() -> None:
    placement = {"": CPU, "model.layers": FAST, "model.layers.1": FASTER}
    assert device_of("model.layers.1.dense.weight", placement) == FASTER
    assert device_of("model.layers.10.dense.weight", placement) == FAST
    assert device_of("lm_head.weight", placement) == CPU
    assert device_of("computed_buffer", {"model": FAST, "lm_head": CPU}) == FAST


def test_maps_that_are_wrong() -> None:
    model, sizes = on_meta()
    with pytest.raises(PlacementError, match=r"names model\.layer, which NoteForCausalLM does not have"):
        place(model, {"": "cpu", "model.layer": "cpu"}, sizes)
    with pytest.raises(PlacementError, match=r"says nothing of lm_head\.weight"):
        place(model, {"model": "cpu"}, sizes)
    with pytest.raises(PlacementError, match="'gpu' is no device"):
        place(model, "gpu", sizes)
    with pytest.raises(PlacementError, match="cannot be done yet"):
        place(model, {"": "disk"}, sizes)
    with pytest.raises(PlacementError, match="cuda:99 does not exist"):
        place(model, 99, sizes)


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
    with pytest.raises(PlacementError, match="finds no room"):
        NoteForCausalLM.from_pretrained(tmp_path, device_map="auto", max_memory={"cpu": 100})
    NoteForCausalLM.from_pretrained(tmp_path, device_map="auto", max_memory={"cpu": "1MB"})


class Recorder:
    """Stands for a device that only one of two machines has: remembers what was to be moved."""

    def __init__(self) -> None:
        self.moved: list[torch.device] = []

    def to(self, device: torch.device) -> "Recorder":
        self.moved.append(device)
        return self


def test_activations_follow() -> None:
    class Layer(torch.nn.Module):
        def forward(self, x: Any, more: Any = None) -> Any:
            return x

    model = torch.nn.Sequential(Layer(), Layer())
    meta = torch.device("meta")
    move_activations(model, {"0": CPU, "1": meta})
    record = Recorder()
    assert model(torch.ones(2)).device == meta
    model[1]((torch.ones(1), [record]), more={"x": record})
    assert record.moved == [meta, meta]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_two_devices_give_the_same_answer(tmp_path: Path) -> None:
    model = NoteForCausalLM.from_config(NoteConfig(tie_word_embeddings=False))
    model.save_pretrained(tmp_path)
    device_map = {"": "cpu", "model.layers.1": 0, "model.norm": 0}
    split = NoteForCausalLM.from_pretrained(tmp_path, device_map=device_map)
    assert split.model.norm.weight.device.type == "cuda"
    ids = torch.tensor([[1, 2]])
    assert torch.allclose(split(ids).cpu(), model(ids), atol=1e-5)
