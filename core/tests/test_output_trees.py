"""Torch takes outputs apart and puts them together, those defined later too."""

from dataclasses import dataclass

import torch
from torch.utils import _pytree as trees

from modelry.output_trees import let_torch_know
from modelry.outputs import CausalLMOutputWithPast, ModelOutput


def test_there_and_back() -> None:
    let_torch_know()
    out = CausalLMOutputWithPast(logits=torch.ones(2), hidden_states=(torch.zeros(1), torch.zeros(3)))
    leaves, tree = trees.tree_flatten(out)
    assert [leaf.numel() for leaf in leaves] == [2, 1, 3]
    again = trees.tree_unflatten([leaf + 1 for leaf in leaves], tree)
    assert type(again) is CausalLMOutputWithPast
    assert again.keys() == out.keys()
    assert torch.equal(again.logits, torch.full((2,), 2.0))
    assert trees.treespec_loads(trees.treespec_dumps(tree)) == tree
    names = [trees.keystr(path) for path, _ in trees.tree_flatten_with_path(out)[0]]
    assert names == [".logits", ".hidden_states[0]", ".hidden_states[1]"]


def test_a_class_of_later() -> None:
    let_torch_know()

    @dataclass
    class Pair(ModelOutput):
        left: torch.Tensor | None = None
        right: torch.Tensor | None = None

    assert trees.tree_map(lambda one: one * 2, Pair(right=torch.ones(1))).right == 2
