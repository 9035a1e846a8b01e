"""What a logits processor is, and a list of them.

R rows   P positions so far, prompt included   V vocabulary
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from modelry.errors import GenerationError


class LogitsProcessor(ABC):
    """The interface: looks at the ids so far and returns new scores for the next one. Never writes into its inputs."""

    remembers: ClassVar[bool] = False
    """Whether scores depend on earlier calls too: then it cannot be shown drafts, some of which are never said."""

    @abstractmethod
    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Change the scores.

        Args:
            input_ids: (R, P), the prompt and what was generated.
            scores: (R, V) float32.

        Returns:
            (R, V).
        """

    def keep(self, rows: Tensor) -> None:  # noqa: B027  most processors hold nothing per row
        """The batch becomes `rows` (R',) of the old one: whatever is held per row follows."""


class LogitsProcessorList(list[LogitsProcessor]):
    """Processors applied in order; itself usable as one."""

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """(R, P) ids and (R, V) scores to (R, V) scores.

        Raises:
            GenerationError: what a processor returns is no such tensor.
        """
        shape = (input_ids.shape[0], scores.shape[-1])
        for processor in self:
            scores = processor(input_ids, scores)
            if not isinstance(scores, Tensor) or scores.shape != shape:
                found = f"scores {tuple(scores.shape)}" if isinstance(scores, Tensor) else f"a {type(scores).__name__}"
                name = getattr(processor, "__name__", type(processor).__name__)
                raise GenerationError(f"the logits processor {name} returned {found}: scores {shape} are needed")
        return scores

    def keep(self, rows: Tensor) -> None:
        """Tell every processor of ours that the batch becomes `rows`; a foreign callable holds no rows."""
        for processor in self:
            if isinstance(processor, LogitsProcessor):
                processor.keep(rows)


NOTHING = float("-inf")
"""The score of a token that cannot be."""


def token_mask(tokens: Tensor, vocabulary: int) -> Tensor:
    """(V,) bool, True at `tokens`; ids outside the vocabulary cannot be generated and are left out."""
    mask = torch.zeros(vocabulary, dtype=torch.bool, device=tokens.device)
    mask[tokens[(tokens >= 0) & (tokens < vocabulary)]] = True
    return mask


def as_tokens(tokens: int | list[int] | tuple[int, ...] | Tensor) -> Tensor:
    """One id or several as a (N,) LongTensor."""
    found = torch.as_tensor(tokens, dtype=torch.long)
    return found.reshape(-1)
