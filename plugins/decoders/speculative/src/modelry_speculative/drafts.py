"""What drafting promises: tokens that may follow each row, and with which probabilities they were drawn.

R rows   K drafted tokens   V vocabulary
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Drafts:
    """Tokens that may follow each row. On the host, since rows may be offered different numbers of them."""

    tokens: list[list[int]]
    """Of each row; none where nothing is known."""
    shares: Tensor | None = None
    """(R, K, V) float32: the distributions that they were drawn from; None where there was no choice."""

    @property
    def width(self) -> int:
        """K, of the longest."""
        return max(map(len, self.tokens), default=0)

    def within(self, room: Sequence[int]) -> "Drafts":
        """The same with at most `room` tokens of each row."""
        tokens = [draft[:most] for draft, most in zip(self.tokens, room, strict=True)]
        width = max(map(len, tokens), default=0)
        return Drafts(tokens, None if self.shares is None else self.shares[:, :width])


class Drafter(ABC):
    """The interface: a source of drafts for all rows of one session."""

    @abstractmethod
    def start(self, copies: int) -> None:
        """Take the prompts in, which the session has read. `copies`: rows of each."""

    @abstractmethod
    def propose(self, live: Sequence[bool], most: int) -> Drafts:
        """Draft.

        Args:
            live: of each row, whether it goes on; others need no draft.
            most: tokens that are wanted at most, at least 1.
        """

    @abstractmethod
    def settle(self, grown: Sequence[Sequence[int]]) -> None:
        """Learn by which tokens each row has really grown. Called after each pass of the session's model."""

    @abstractmethod
    def keep(self, rows: Tensor) -> None:
        """Let the rows be `rows` (R',) of these: the session's others have left."""
