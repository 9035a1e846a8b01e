"""The compiled step of a GPU on a processor; see `modelry_testing.gpu_programs` and test_compiling.py.

Prints, as JSON, for each family whether it says what the eager step says, and how far its logits are.
"""

import json
import sys
from typing import Any

from modelry_testing.gpu_programs import prepare

CHANGES = {
    "modelry.generation.compiling": [
        ('self._model.device.type != "cpu"', "True"),
        ('if model.device.type == "cpu" else usual', "if False else usual"),
    ]
}
SIZES: dict[str, Any] = {
    "vocab_size": 40, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "initializer_range": 0.2,
}  # fmt: skip
FAMILIES: dict[str, dict[str, Any]] = {"llama": {}, "mistral": {"sliding_window": 16}}


def measured() -> dict[str, list[Any]]:
    import torch

    from modelry import AutoConfig, AutoModelForCausalLM

    ids = torch.randint(1, 40, (2, 9), generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[0, 0, 0, 1, 1, 1, 1, 1, 1], [1] * 9])
    wanted: dict[str, Any] = {"attention_mask": mask, "max_new_tokens": 4, "eos_token_id": None}
    wanted |= {"do_sample": False, "return_dict_in_generate": True, "output_logits": True}
    said = {}
    for family, more in FAMILIES.items():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **SIZES, **more)).eval()
        eager, compiled = model.generate(ids, **wanted), model.generate(ids, compile=True, **wanted)
        pairs = zip(eager.logits, compiled.logits, strict=True)
        apart = max(float((one - other).abs().max()) for one, other in pairs)
        said[family] = [torch.equal(eager.sequences, compiled.sequences), apart]
    return said


if __name__ == "__main__":
    prepare(CHANGES)
    json.dump(measured(), sys.stdout)
