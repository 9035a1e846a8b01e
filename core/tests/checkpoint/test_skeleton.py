"""Models without values cost nothing, and torch's compiler is not imported for them."""

from collections.abc import Callable

import torch
from torch import nn

from modelry.checkpoint.skeleton import without_values


def test_layers_have_shapes_and_no_values() -> None:
    with without_values():
        layers = [
            nn.Linear(10**6, 10**6),
            nn.Embedding(10**6, 10**6, padding_idx=0),
            nn.Conv2d(3, 4, 5),
            nn.LayerNorm(3),
        ]
        real = torch.rand(2, device="cpu").normal_()
    assert all(parameter.is_meta for layer in layers for parameter in layer.parameters())
    assert real.std() >= 0
    assert nn.Linear(2, 2).weight.abs().sum() > 0, "outside, layers are filled again"


def test_filling_a_real_tensor_inside_still_works() -> None:
    real = torch.zeros(100)
    with without_values():
        nn.init.normal_(real)
        real2 = torch.zeros(100, device="cpu").uniform_(1, 2)
    assert real.std() > 0
    assert real2.min() >= 1


def test_loading_does_not_import_the_compiler(run_fresh: Callable[..., str]) -> None:
    code = """
import sys, tempfile
from kernel_toys import FAMILIES, LegacyConfig, LegacyForCausalLM, NoteConfig, NoteForCausalLM
from modelry_registry import get_registry, use_registry
with use_registry(get_registry().extended(*FAMILIES, distribution="kernel-toys")):
    for config, model in ((LegacyConfig(), LegacyForCausalLM), (NoteConfig(), NoteForCausalLM)):
        with tempfile.TemporaryDirectory() as folder:
            model.from_config(config).save_pretrained(folder)
            model.from_pretrained(folder, quantization="toy8" if model is NoteForCausalLM else None)
print(sorted({"sympy", "torch._dynamo", "torch._inductor"} & set(sys.modules)))
"""
    assert run_fresh(code).strip() == "[]"
