"""Which tokens a masked language model has to guess, and what stands in their place.

B rows   T tokens
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from modelry_trainer.collators.labels import IGNORED


@dataclass(frozen=True)
class Masking:
    """The chances of one masking; Devlin et al. 2018, https://arxiv.org/abs/1810.04805, section 3.1.

    Args:
        chosen: that a token, or a word, has to be guessed.
        masked: that the mask stands in place of what has to be guessed.
        random: that a random token does; what is left stays as it is.
        mask: id of the mask.
        vocabulary: tokens to draw random ones from.
    """

    chosen: float
    masked: float
    random: float
    mask: int
    vocabulary: int

    def apply(
        self, ids: Tensor, *, spared: Tensor, words: Tensor | None = None, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """What the model reads, and what it has to guess.

        The draws follow each other as in published collators, so one seed gives the same masks; but where those leave
        a batch without anything to guess, as happens to short rows, one token or word of it is drawn: a batch without
        labels has no loss.

        Args:
            ids: (B, T).
            spared: (B, T) bool, True where nothing is drawn.
            words: (B, T) number of each token's word, -1 for none; where one token of a word is drawn, all of it is.
            generator: to draw from; torch's own when None.

        Returns:
            (B, T) ids, and (B, T) labels, -100 where there is nothing to guess.
        """

        def draw(chance: float, *, nowhere: Tensor | None = None) -> Tensor:
            chances = torch.full(ids.shape, float(chance))
            if nowhere is not None:
                chances.masked_fill_(nowhere, 0.0)
            return torch.bernoulli(chances, generator=generator).bool()

        chosen = draw(self.chosen, nowhere=spared)
        if self.chosen and not chosen.any() and not spared.all():
            places = (~spared).flatten().nonzero().flatten()
            chosen.view(-1)[places[torch.randint(len(places), (1,), generator=generator)]] = True
        if words is not None:
            chosen = spread(chosen, words)
        labels = torch.where(chosen, ids, IGNORED)
        masked = draw(self.masked) & chosen
        read = torch.where(masked, self.mask, ids)
        if self.masked < 1 and self.random > 0:
            drawn = draw(self.random / (1 - self.masked)) & chosen & ~masked
            others = torch.randint(self.vocabulary, ids.shape, dtype=torch.long, generator=generator)
            read = torch.where(drawn, others, read)
        return read, labels


def words_of(offsets: Tensor, special: Tensor) -> tuple[Tensor, Tensor]:
    """Which tokens are of one word: those that follow each other in the text without a gap.

    Args:
        offsets: (B, T, 2) where each token begins and ends in its text.
        special: (B, T) bool, True for tokens that are of no word.

    Returns:
        (B, T) number of each token's word, -1 for none; and (B, T) bool, True for the first token of a word.
    """
    begins, ends = offsets.unbind(-1)
    before = torch.cat((torch.full_like(ends[:, :1], -1), ends[:, :-1]), dim=1)
    after_special = torch.cat((torch.zeros_like(special[:, :1]), special[:, :-1]), dim=1)
    first = ~special & ((begins != before) | after_special)
    return torch.where(special, -1, first.cumsum(1)), first


def spread(chosen: Tensor, words: Tensor) -> Tensor:
    """(B, T) True for every token of a word of which one token is chosen."""
    same = (words[:, :, None] == words[:, None, :]) & (words >= 0)[:, :, None]  # (B, T, T)
    return (same & chosen[:, None, :]).any(-1)
