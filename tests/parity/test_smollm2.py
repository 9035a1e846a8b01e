"""SmolLM2-135M-Instruct, read from its GGUF file: 64 greedy tokens and logits, held against the oracle's.

The file is dequantized by each side on its own; both then compute in float32.
"""

from pathlib import Path
from typing import Any

import pytest
import torch

from modelry import AutoModelForCausalLM, AutoTokenizer

pytestmark = pytest.mark.models

PROMPTS = [
    "What is the capital of France?",
    "Write a Python function that returns the n-th Fibonacci number.",
    "Explain in two sentences why the sky is blue.",
    "List three fruits and the colour of each.",
    "Translate to Spanish: The library opens at nine o'clock.",
]


@pytest.fixture(scope="module")
def both(smollm2: Path) -> tuple[Any, Any, Any]:
    """(our tokenizer, our model, the other model), float32."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    other = transformers.AutoModelForCausalLM.from_pretrained(
        smollm2.parent, gguf_file=smollm2.name, dtype=torch.float32
    ).eval()
    ours = AutoModelForCausalLM.from_pretrained(smollm2, dtype=torch.float32)
    return AutoTokenizer.from_pretrained(smollm2), ours, other


@pytest.mark.parametrize("prompt", PROMPTS)
def test_64_greedy_tokens_are_identical(both: tuple[Any, Any, Any], prompt: str) -> None:
    tokenizer, ours, other = both
    inputs = tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    wanted = {"max_new_tokens": 64, "do_sample": False}
    got = ours.generate(**inputs, **wanted)
    expected = other.generate(**inputs, **wanted)
    assert got.tolist() == expected.tolist()
    assert got.shape[1] > inputs["input_ids"].shape[1]


def test_logits_are_close(both: tuple[Any, Any, Any]) -> None:
    tokenizer, ours, other = both
    ids = tokenizer(" ".join(PROMPTS), return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        torch.testing.assert_close(ours(ids).logits, other(ids).logits, rtol=1e-4, atol=1e-3)
