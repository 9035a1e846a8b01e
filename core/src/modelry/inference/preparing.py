"""Whether a model can be stepped faster than by its own forward, and the proof that the numbers are the same.

R rows   T new positions of each   V vocabulary
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
from modelry.inference.written import written
from modelry.outputs import CausalLMOutputWithPast

ROUNDING = {torch.float32: 1e-3, torch.float16: 3e-2, torch.bfloat16: 1e-1}
"""Largest distance of the first step's logits from the model's own, as a share of their length. Two ways to add up
differ by a hundredth of it; a part that was misunderstood by a multiple."""

MOST_LINES = 32
"""R T at most, as many as the 4-bit product of CPUs takes; each number of them has buffers of its own."""

_PROVEN: "WeakKeyDictionary[nn.Module, tuple[object, bool]]" = WeakKeyDictionary()
"""Models whose first step was held against their own forward: what that was, and whether the step was the same."""


def prepared_step(model: Any, *, looks: bool | None = None) -> "PreparedStep | None":
    """A faster decode step of a model, for one generation; None where there is none.

    Args:
        looks: whether it looks at an encoder's output, as a decoder alone may too; None: as its configuration says.
    """
    alone = decoder_parts(model)
    looks = bool(getattr(model.config, "is_encoder_decoder", False)) if looks is None else looks
    looking = answer_parts(model) if looks and alone is None else None
    if alone is not None:
        made = PreparedStep(model, partial(DecoderStep, alone), several=True)
    elif looking is not None:
        made = PreparedStep(model, partial(AnswerStep, looking))
    else:
        return None
    return None if made.same is False else made


class Step(Protocol):
    """A step of so many rows, of one position or several; see `DecoderStep` and `AnswerStep`."""

    rows: int

    def __call__(self, ids: Tensor, positions: Tensor, attention_mask: Tensor | None, cache: Cache) -> Tensor | None:
        """(R, T, V) logits, or None where nothing has happened."""


@final
class PreparedStep:
    """Decode steps of one generation.

    Args:
        model: whose first step is computed both ways, the first ever or after somebody has changed its own forward.
        make: a step of so many rows, and of so many new positions of each.
        several: it makes steps of more than one.
    """

    def __init__(self, model: nn.Module, make: Callable[..., Step], *, several: bool = False) -> None:
        self._model, self._make, self._several = model, make, several
        self._written = written(model, leaves=False)  # a step asks leaves itself
        before, same = _PROVEN.get(model, (None, None))
        self.same: bool | None = same if before == self._written else None
        """Whether the step says what the model's own forward says; None: not known yet."""
        self._steps: dict[int, Step] = {}
        """By new positions, all of as many rows."""

    def __call__(
        self,
        ids: Tensor,
        positions: Tensor,
        attention_mask: Tensor | None,
        cache: Cache,
        forward: Callable[[], Any],
    ) -> Any:
        """Read one id in each row, or a few.

        Args:
            ids: (R, T).
            positions: (R or 1, T).
            attention_mask: (R, S + T), of the encoder's input (R, S) where there is an encoder; or None where nothing
                is padded.
            cache: written to, and advanced by T.
            forward: the model's own forward for the same input.

        Returns:
            The model's output, with logits (R, T, V).
        """
        rows, new = ids.shape
        if self.same is False or (new > 1 and not (self._several and rows * new <= MOST_LINES)):
            return forward()
        logits = self._step_of(rows, new)(ids, positions, attention_mask, cache)
        if logits is None:
            return forward()
        if self.same is None:
            output = forward()
            self.same = _same(logits, output.logits)
            _PROVEN[self._model] = self._written, self.same
            return output
        cache.advance(new)
        return CausalLMOutputWithPast(None, logits, cache)

    def _step_of(self, rows: int, new: int) -> Step:
        found = self._steps.get(new)
        if found is None or found.rows != rows:
            if found is not None:
                self._steps.clear()
            found = self._steps[new] = self._make(rows=rows) if new == 1 else self._make(rows=rows, new=new)
        return found


def _same(found: Tensor, expected: Tensor) -> bool:
    distance = (found.float() - expected.float()).norm()
    return bool(distance <= ROUNDING[expected.dtype] * expected.float().norm()) if expected.dtype in ROUNDING else False
