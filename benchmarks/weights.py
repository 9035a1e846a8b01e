"""How SmolLM2 is loaded to be measured: one file, weights of several kinds."""

from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
GGUF = REPOSITORY / ".cache/models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"

LOADED_AS: dict[str, dict[str, Any]] = {
    "float32": {"dtype": "float32"},
    "bfloat16": {"dtype": "bfloat16"},
    "int8": {"dtype": "bfloat16", "quantization": "int8"},
    "int4": {"dtype": "bfloat16", "quantization": {"quant_method": "int4", "group_size": 32}},
    "gguf": {"dtype": "bfloat16", "quantization": "gguf"},
}
"""Name of the weights to the arguments of our from_pretrained. "gguf" keeps what is packed in the file packed."""


def load(weights: str) -> Any:
    """Our model from the GGUF file."""
    from modelry import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(GGUF, **LOADED_AS[weights]).eval()
