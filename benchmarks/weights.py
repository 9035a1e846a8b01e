"""SmolLM2 in the kinds of weights that are measured, and where they are read from."""

from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
GGUF = REPOSITORY / ".cache/models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
FOLDERS = REPOSITORY / ".cache/benchmarks"
DTYPES = ("bfloat16", "float32")

LOADED_AS: dict[str, dict[str, Any]] = {
    "float32": {"dtype": "float32"},
    "bfloat16": {"dtype": "bfloat16"},
    "int8": {"dtype": "bfloat16", "quantization": {"quant_method": "int8", "modules_to_not_convert": []}},
    "int4": {"dtype": "bfloat16", "quantization": {"quant_method": "int4", "group_size": 32}},
    "gguf": {"dtype": "bfloat16", "quantization": "gguf"},
}
"""Name of the weights to the arguments of our from_pretrained. "gguf" keeps packed what the file has packed; "int8"
packs the vocabulary's projection too, as that file does."""


def folder(dtype: str) -> Path:
    """SmolLM2 as a safetensors checkpoint of that dtype."""
    return FOLDERS / f"smollm2-{dtype}"


def load(weights: str) -> Any:
    """Our model: float weights from the safetensors folder, packed ones from the GGUF file."""
    from modelry import AutoModelForCausalLM

    source = folder(weights) if weights in DTYPES else GGUF
    return AutoModelForCausalLM.from_pretrained(source, **LOADED_AS[weights]).eval()


def prepare() -> None:
    """Write the safetensors folders of both dtypes, made from the GGUF file, once.

    Raises:
        SystemExit: the GGUF file is not there.
    """
    if not GGUF.is_file():
        raise SystemExit(f"{GGUF} is not there. Run: make models")
    for dtype in DTYPES:
        if (folder(dtype) / "tokenizer.json").is_file():
            continue
        from modelry import AutoModelForCausalLM, AutoTokenizer

        AutoModelForCausalLM.from_pretrained(GGUF, dtype=dtype).save_pretrained(folder(dtype))
        AutoTokenizer.from_pretrained(GGUF).save_pretrained(folder(dtype))
