"""Constrained answers on some GPU: those of the CPU, and valid."""

import copy
import re
from typing import Any

import pytest

from modelry.preprocessing import Tokenizer
from modelry_testing.pretending import is_real, some_gpu

WANTED: dict[str, dict[str, Any]] = {
    "choices": {"choices": ["yes", "no", "perhaps"]},
    "regex": {"regex": "[ab]{2,4}-[0-9]"},
}


@pytest.mark.parametrize("kind", ["cuda", "mps"])
@pytest.mark.parametrize("wanted", WANTED.values(), ids=list(WANTED))
@pytest.mark.parametrize("sampled", [False, True], ids=["greedy", "sampled"])
def test_answers_are_those_of_the_cpu(
    kind: str, wanted: dict[str, Any], sampled: bool, model: Any, tokenizer: Tokenizer
) -> None:
    batch = tokenizer(["say:", "tell me:"], padding=True, padding_side="left", return_tensors="pt")
    options = {"strategy": "constrained", "tokenizer": tokenizer, "max_new_tokens": 40, **wanted}
    options |= {"do_sample": True, "seed": 1} if sampled else {}
    expected = model.generate(**batch, **options)
    with some_gpu(kind):
        there = copy.deepcopy(model).to(f"{kind}:0")
        found = there.generate(**{name: one.to(f"{kind}:0") for name, one in batch.items()}, **options).cpu()
    if not (sampled and (kind == "mps" or is_real(kind))):  # Apple's draws in float32, and a GPU its own numbers
        assert found.tolist() == expected.tolist()
    for row in found[:, batch["input_ids"].shape[1] :].tolist():
        text = tokenizer.decode(row, skip_special_tokens=True)
        assert re.fullmatch("yes|no|perhaps|[ab]{2,4}-[0-9]", text)
