"""When a row ends: the ecosystem's stopping criteria, usable on any rows of ids.

R rows   P positions, prompt included   V vocabulary
"""

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from modelry.errors import GenerationError
from modelry.generation.processors.processor import as_tokens
from modelry.generation.stop_strings import StopStrings

Verdict = Tensor | bool
Criterion = Callable[..., Verdict]


class StoppingCriteria(ABC):
    """The interface: looks at all ids so far and says which rows are finished."""

    @abstractmethod
    def __call__(self, input_ids: Tensor, scores: Sequence[Tensor] | None, **kwargs: Any) -> Verdict:
        """Judge.

        Args:
            input_ids: (R, P).
            scores: one (R, V) for each generated token, where the caller asked for scores; else None.

        Returns:
            (R,) bool, or one bool for all rows.
        """


class MaxLengthCriteria(StoppingCriteria):
    """All rows end at `max_length` positions, prompt included."""

    def __init__(self, max_length: int) -> None:
        self.max_length = max_length

    def __call__(self, input_ids: Tensor, scores: Sequence[Tensor] | None = None, **kwargs: Any) -> Verdict:
        return input_ids.shape[1] >= self.max_length


class MaxTimeCriteria(StoppingCriteria):
    """All rows end `max_time` seconds after the criterion was made, or after `initial_timestamp` (time.time())."""

    def __init__(self, max_time: float, initial_timestamp: float | None = None) -> None:
        self.deadline = (time.time() if initial_timestamp is None else initial_timestamp) + max_time

    def __call__(self, input_ids: Tensor, scores: Sequence[Tensor] | None = None, **kwargs: Any) -> Verdict:
        return time.time() > self.deadline


class EosTokenCriteria(StoppingCriteria):
    """A row ends with one of the end tokens."""

    def __init__(self, eos_token_id: int | list[int] | tuple[int, ...] | Tensor) -> None:
        self.eos_token_id = as_tokens(eos_token_id)

    def __call__(self, input_ids: Tensor, scores: Sequence[Tensor] | None = None, **kwargs: Any) -> Verdict:
        return torch.isin(input_ids[:, -1], self.eos_token_id.to(input_ids.device))


class StopStringCriteria(StoppingCriteria):
    """A row ends when its last token completes one of the strings."""

    def __init__(self, tokenizer: Any, stop_strings: str | Sequence[str]) -> None:
        self.stops = StopStrings(stop_strings, tokenizer)

    def __call__(self, input_ids: Tensor, scores: Sequence[Tensor] | None = None, **kwargs: Any) -> Verdict:
        tails = input_ids[:, -self.stops.reach :].tolist()
        return torch.tensor([self.stops.completed_by(tail) for tail in tails], device=input_ids.device)


class StoppingCriteriaList(list[Criterion]):
    """Criteria of which any may end a row; itself usable as one. Plain functions are welcome."""

    def __call__(self, input_ids: Tensor, scores: Sequence[Tensor] | None = None, **kwargs: Any) -> Tensor:
        """(R,) bool.

        Raises:
            GenerationError: a criterion says something else.
        """
        over = torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)
        for criterion in self:
            said = criterion(input_ids, scores, **kwargs)
            over |= _verdict(said, criterion, over)
        return over

    @property
    def max_length(self) -> int | None:
        """The shortest maximum length among the criteria."""
        return min((one.max_length for one in self if isinstance(one, MaxLengthCriteria)), default=None)


def _verdict(said: Any, criterion: Criterion, rows: Tensor) -> Tensor:
    """What a criterion says, as () or (R,) bool."""
    with contextlib.suppress(TypeError, ValueError, RuntimeError):
        found = torch.as_tensor(said, dtype=torch.bool, device=rows.device)
        if found.shape in ((), rows.shape) and said is not None:
            return found
    name = getattr(criterion, "__name__", type(criterion).__name__)
    what = tuple(said.shape) if isinstance(said, Tensor) else repr(said)[:60]
    raise GenerationError(
        f"the stopping criterion {name} returned {what}: a bool for all rows is needed, or {tuple(rows.shape)} bools, "
        "one for each"
    )
