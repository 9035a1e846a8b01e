"""Whether a model can be stepped faster than by its own forward, and the proof that the numbers are the same.

R rows   V vocabulary
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, final
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from modelry.cache import Cache
from modelry.inference.answer_parts import answer_parts
from modelry.inference.answer_step import AnswerStep
from modelry.inference.decoder_step import DecoderStep
from modelry.inference.parts import decoder_parts
from modelry.outputs import CausalLMOutputWithPast

ROUNDING = {torch.float32: 1e-3, torch.float16: 3e-2, torch.bfloat16: 1e-1}
"""Largest distance of the first step's logits from the model's own, as a share of their length. Two ways to add up
differ by a hundredth of it; a part that was misunderstood by a multiple."""

_PROVEN: "WeakKeyDictionary[nn.Module, bool]" = WeakKeyDictionary()
"""Models whose first step was held against their own forward, and whether it was the same."""


def prepared_step(model: Any, *, looks: bool | None = None) -> "PreparedStep | None":
    """A faster decode step of a model, for one generation; None where there is none.

    Args:
        looks: whether it looks at an encoder's output, as a decoder alone may too; None: as its configuration says.
    """
    if _PROVEN.get(model) is False:
        return None
    alone = decoder_parts(model)
    if alone is not None:
        return PreparedStep(model, partial(DecoderStep, alone))
    looks = bool(getattr(model.config, "is_encoder_decoder", False)) if looks is None else looks
    looking = answer_parts(model) if looks else None
    return None if looking is None else PreparedStep(model, partial(AnswerStep, looking))


class Step(Protocol):
    """A step of so many rows; see `DecoderStep` and `AnswerStep`."""

    rows: int

    def __call__(self, ids: Tensor, positions: Tensor, attention_mask: Tensor | None, cache: Cache) -> Tensor | None:
        """(R, 1, V) logits, or None where nothing has happened."""


@final
class PreparedStep:
    """Decode steps of one generation.

    Args:
        model: whose first step ever is computed both ways.
        make: a step of so many rows.
    """

    def __init__(self, model: nn.Module, make: Callable[..., Step]) -> None:
        self._model, self._make = model, make
        self._step: Step | None = None

    def __call__(
        self,
        ids: Tensor,
        positions: Tensor,
        attention_mask: Tensor | None,
        cache: Cache,
        forward: Callable[[], Any],
    ) -> Any:
        """Read one id in each row.

        Args:
            ids: (R, 1).
            positions: (R or 1, 1).
            attention_mask: (R, S + 1), of the encoder's input (R, S) where there is an encoder; or None where nothing
                is padded.
            cache: written to, and advanced by one.
            forward: the model's own forward for the same input.

        Returns:
            The model's output, with logits (R, 1, V).
        """
        if _PROVEN.get(self._model) is False:
            return forward()
        if self._step is None or self._step.rows != ids.shape[0]:
            self._step = self._make(rows=ids.shape[0])
        logits = self._step(ids, positions, attention_mask, cache)
        if logits is None:
            return forward()
        if self._model not in _PROVEN:
            output = forward()
            _PROVEN[self._model] = _same(logits, output.logits)
            return output
        cache.advance(1)
        return CausalLMOutputWithPast(None, logits, cache)


def _same(found: Tensor, expected: Tensor) -> bool:
    distance = (found.float() - expected.float()).norm()
    return bool(distance <= ROUNDING[expected.dtype] * expected.float().norm()) if expected.dtype in ROUNDING else False
