"""How texts of different length are compared, and when no running beam can be better than what is finished. No torch.

Wu et al. 2016, https://arxiv.org/abs/1609.08144, section 7, with the ecosystem's simpler penalty: n ** length_penalty.
"""

import math
from dataclasses import dataclass
from typing import Literal

from modelry.errors import GenerationError


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Scores are summed log-probabilities over n ** length_penalty, n new tokens.

    Raises:
        GenerationError: n ** length_penalty is no number above 0 for the longest text.
    """

    length_penalty: float = 1.0
    """Above 0 helps long texts, below 0 short ones."""
    early_stopping: bool | Literal["never"] = False
    """True: a search ends with as many texts as beams; False: when the best beam, were it to end now, would not be
    among them; "never": when it could not be, whatever its length."""
    longest: int
    """New tokens there is room for."""

    def __post_init__(self) -> None:
        try:
            largest = float(self.longest) ** self.length_penalty
        except OverflowError:
            largest = math.inf
        if not 0 < largest < math.inf:
            raise GenerationError(
                f"length_penalty={self.length_penalty} is impossible for {self.longest} new tokens: scores are divided "
                f"by {self.longest} ** {self.length_penalty}, which is {largest}. Usual values lie between -2 and 2"
            )

    def divisor(self, length: int) -> float:
        """What the score of a text of `length` new tokens is divided by."""
        return float(length**self.length_penalty)

    def hoped_divisor(self, length: int) -> float:
        """The same for the text that a beam of `length` new tokens is hoped to become."""
        at_its_best = self.early_stopping == "never" and self.length_penalty > 0
        return self.divisor(self.longest if at_its_best else length)
