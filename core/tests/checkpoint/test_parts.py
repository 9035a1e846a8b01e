"""What of a model stays together."""

import pytest
import torch
from kernel_toys import NoteConfig, NoteForCausalLM
from torch import nn

from modelry.checkpoint.parts import Part, owner_of, parts_of
from modelry.tying import tied_names

pytestmark = pytest.mark.usefixtures("registry")


def sizes_of(model: nn.Module) -> dict[str, int]:
    return {name: tensor.nbytes for name, tensor in model.state_dict().items()}


def test_layers_stay_whole_and_in_order() -> None:
    with torch.device("meta"):
        model = NoteForCausalLM(NoteConfig(tie_word_embeddings=False))
    sizes = sizes_of(model)
    found = parts_of(model, sizes, caches={"model.layers.1": 7})
    assert [part.paths for part in found] == [
        ("model.angles",), ("model.embed_tokens",), ("model.layers.0",), ("model.layers.1",), ("model.norm",),
        ("lm_head",),
    ]  # fmt: skip
    assert sum(part.size for part in found) == sum(sizes.values())
    assert [part.loose for part in found] == [True, False, False, False, False, False]
    assert [part.cache for part in found] == [0, 0, 0, 7, 0, 0]


def test_what_shares_a_weight_is_one_part_and_counts_once() -> None:
    with torch.device("meta"):
        model = NoteForCausalLM(NoteConfig())
    sizes = sizes_of(model)
    found = parts_of(model, sizes, tied_names(model))
    assert found[1] == Part(("model.embed_tokens", "lm_head"), sizes["lm_head.weight"])
    assert sum(part.size for part in found) == sum(sizes.values()) - sizes["lm_head.weight"]


def test_lists_inside_a_layer_do_not_divide_it() -> None:
    class Mixture(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.router = nn.Linear(2, 2)
            self.experts = nn.ModuleList(nn.Linear(2, 2) for _ in range(2))

    model = nn.Module()
    model.layers = nn.ModuleList(Mixture() for _ in range(2))
    found = parts_of(model, sizes_of(model))
    assert [part.paths for part in found] == [("layers.0",), ("layers.1",)]
    assert owner_of("layers.1.experts.0.weight", {"layers.0", "layers.1"}) == "layers.1"


def test_lists_and_dictionaries_of_modules_are_never_parts() -> None:
    """Nobody calls them, so nothing would fetch what they hold."""
    model = nn.Module()
    model.stages = nn.ModuleList(nn.ModuleList(nn.Linear(2, 2) for _ in range(2)) for _ in range(2))
    model.norms = nn.ModuleDict({"first": nn.LayerNorm(2), "last": nn.LayerNorm(2)})
    found = [part.paths for part in parts_of(model, sizes_of(model))]
    stages = [(f"stages.{one}.{other}",) for one in range(2) for other in range(2)]
    assert found == [*stages, ("norms.first",), ("norms.last",)]
