"""SmolLM2-135M-Instruct in 8 and 4 bits: how much worse it predicts a plain text than in bfloat16."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from modelry import AutoModelForCausalLM, AutoTokenizer

pytestmark = pytest.mark.models

PROSE = Path(__file__).parent / "data" / "prose.txt"
WINDOW = 512


def perplexity(model: Any, ids: torch.Tensor) -> float:
    """exp of the mean negative log likelihood, each window of the text read by itself."""
    total = count = 0.0
    with torch.inference_mode():
        for part in ids.split(WINDOW, dim=1):
            scores = model(part).logits[0, :-1].float().log_softmax(-1)
            total -= float(scores.gather(1, part[0, 1:, None]).sum())
            count += part.shape[1] - 1
    return math.exp(total / count)


@pytest.fixture(scope="module")
def ids(smollm2: Path) -> torch.Tensor:
    found: torch.Tensor = AutoTokenizer.from_pretrained(smollm2)(PROSE.read_text(), return_tensors="pt")["input_ids"]
    assert found.shape[1] > 1900
    return found


@pytest.fixture(scope="module")
def in_bfloat16(smollm2: Path, ids: torch.Tensor) -> float:
    return perplexity(AutoModelForCausalLM.from_pretrained(smollm2, dtype="bfloat16"), ids)


@pytest.mark.parametrize(
    ("quantization", "worse"),
    [
        ({"quant_method": "int8"}, 1.005),
        ({"quant_method": "int8", "modules_to_not_convert": []}, 1.005),
        ({"quant_method": "int4", "group_size": 32}, 1.06),
    ],
    ids=["int8", "int8, the vocabulary too", "int4"],
)
def test_perplexity(
    smollm2: Path, ids: torch.Tensor, in_bfloat16: float, quantization: dict[str, Any], worse: float
) -> None:
    packed = AutoModelForCausalLM.from_pretrained(smollm2, dtype="bfloat16", quantization=quantization)
    found = perplexity(packed, ids)
    assert found <= in_bfloat16 * worse, f"{found:.4f}, and {in_bfloat16:.4f} in bfloat16"
