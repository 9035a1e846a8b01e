"""A strategy under test: how it is called, and the toys it is called on.

R rows   P prompt   N new tokens
"""

from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from modelry.generation import generate
from modelry_registry import Decoder
from modelry_testing.toys.modeling import ToyForCausalLM
from modelry_testing.toys.oracle import PROMPTS, certain_model, tempting_model

PAD = 0


class Strategy:
    """One decoding strategy with the keywords that make it itself."""

    def __init__(self, spec: Decoder, keywords: dict[str, Any]) -> None:
        self.spec = spec
        self.keywords = keywords

    @cached_property
    def certain(self) -> ToyForCausalLM:
        """A toy that leaves no choice."""
        return certain_model()

    @cached_property
    def tempting(self) -> ToyForCausalLM:
        """A toy whose most likely sequence does not begin with its most likely token."""
        return tempting_model()

    def run(self, model: nn.Module, ids: Tensor, **keywords: Any) -> Tensor:
        """generate with this strategy: (R, P) -> (R, P + N). No token ends a sequence unless `keywords` say so."""
        merged = {"eos_token_id": None, "pad_token_id": PAD, "seed": 0, **self.keywords, **keywords}
        found = generate(model, ids, strategy=self.spec.name, **merged)
        assert isinstance(found, Tensor)
        return found

    def continue_row(self, model: ToyForCausalLM, prompt: tuple[int, ...] = PROMPTS[0], **keywords: Any) -> list[int]:
        """The new tokens of one row."""
        return self.run(model, torch.tensor([prompt]), **keywords)[0, len(prompt) :].tolist()


def left_padded() -> tuple[Tensor, Tensor]:
    """All prompts in one batch: ids and mask, both (R, P)."""
    longest = max(map(len, PROMPTS))
    ids = [[PAD] * (longest - len(one)) + list(one) for one in PROMPTS]
    mask = [[0] * (longest - len(one)) + [1] * len(one) for one in PROMPTS]
    return torch.tensor(ids), torch.tensor(mask)
