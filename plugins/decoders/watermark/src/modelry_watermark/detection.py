"""Is a text marked? Tests against chance, without training: z-score and p-value for each text.

R texts   P tokens of each   N n-gram length   L layers
"""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from modelry.errors import GenerationError
from modelry_watermark.green import GreenList
from modelry_watermark.parameters import SynthIDTextWatermarkingConfig, WatermarkingConfig
from modelry_watermark.synthid import Referees, hashed


@dataclass(frozen=True, kw_only=True)
class Detection:
    """What was found, each (R,). A text of which nothing can be scored has z-score 0 and p-value 0.5."""

    num_tokens_scored: Tensor
    hits: Tensor
    """Green tokens, or g-values of 1 divided by the layers."""
    z_score: Tensor
    """Standard deviations above what chance gives."""
    p_value: Tensor
    """Probability of so many hits or more in unmarked text."""
    prediction: Tensor
    """bool: z_score above the threshold."""

    @property
    def fraction(self) -> Tensor:
        """Share of hits; NaN where nothing was scored."""
        return self.hits / self.num_tokens_scored


@final
class WatermarkDetector:
    """Counts green tokens. Leave the prompt out: it is not marked.

    Args:
        watermarking_config: the one the text was made with.
        vocab_size: the model's.
        ignore_repeated_ngrams: count a context and its token once; else text that repeats itself can look marked.
        bos_token_id: left out where texts begin with it.
    """

    def __init__(
        self,
        watermarking_config: Any,
        *,
        vocab_size: int,
        ignore_repeated_ngrams: bool = False,
        bos_token_id: int | None = None,
    ) -> None:
        self.config = WatermarkingConfig.read(watermarking_config)
        self.ignore_repeated_ngrams, self.bos_token_id = ignore_repeated_ngrams, bos_token_id
        self._greens = GreenList(self.config, vocab_size)

    def __call__(self, input_ids: Any, z_threshold: float = 3.0) -> Detection:
        """Test texts.

        Args:
            input_ids: (R, P) ids of one length each.
            z_threshold: 3 takes 0.13 % of unmarked texts for marked.

        Raises:
            GenerationError: a text is too short to score one token, or has ids outside the vocabulary.
        """
        ids = _as_ids(input_ids, self.config.context_width + 1, self._greens.vocab_size)
        counted = [self._count(row[1:] if int(row[0]) == self.bos_token_id else row) for row in ids]
        scored, hits = torch.tensor(counted, dtype=torch.float64).unbind(dim=1)
        ratio = self.config.greenlist_ratio
        return _judged(scored, hits, ratio, (scored * ratio * (1 - ratio)).sqrt(), z_threshold)

    def _count(self, ids: Tensor) -> tuple[int, int]:
        itself = self.config.seeding_scheme == "selfhash"
        width = self.config.context_width + (not itself)
        windows = Counter(tuple(window) for window in ids.unfold(0, width, 1).tolist()) if len(ids) >= width else {}
        scored = hits = 0
        for window, times in windows.items():
            context = torch.tensor(window if itself else window[:-1])
            weight = 1 if self.ignore_repeated_ngrams else times
            scored += weight
            hits += weight * bool(self._greens.after(context)[window[-1]])
        return scored, hits


@final
class SynthIDTextDetector:
    """Averages g-values, each layer alike. Leave the prompt out: it is not marked.

    Args:
        watermarking_config: the one the text was made with.
        eos_token_id: what follows it is not counted.
    """

    def __init__(self, watermarking_config: Any, *, eos_token_id: int | None = None) -> None:
        self.config = SynthIDTextWatermarkingConfig.read(watermarking_config)
        self.eos_token_id = eos_token_id
        self._referees = Referees(self.config, torch.device("cpu"))

    def g_values(self, input_ids: Any) -> tuple[Tensor, Tensor]:
        """(R, P - N + 1, L) g-values of the tokens from the N-th on, and (R, P - N + 1) bool: which of them count.

        Raises:
            GenerationError: a text is shorter than ngram_len.
        """
        length = self.config.ngram_len
        ids = _as_ids(input_ids, length, None)
        hashes = hashed(ids.unfold(1, length, 1))
        values = torch.stack([self._referees.values(hashes, layer) for layer in range(len(self.config.keys))], dim=-1)
        counts = ~self._repeated(hashed(ids[:, :-1].unfold(1, length - 1, 1)))
        if self.eos_token_id is not None:
            counts &= ((ids == self.eos_token_id).cumsum(dim=1) == 0)[:, length - 1 :]
        return values, counts

    def _repeated(self, contexts: Tensor) -> Tensor:
        """(R, n) hashes to bool: seen among those remembered. A zero counts as seen, as it does when marking."""
        size = self.config.context_history_size
        seen = torch.zeros_like(contexts, dtype=torch.bool)
        for position in range(contexts.shape[1]):
            now = contexts[:, position, None]
            seen[:, position] = (contexts[:, max(0, position - size) : position] == now).any(dim=1)
        return seen | ((contexts == 0) & (torch.arange(contexts.shape[1]) < size))

    def __call__(self, input_ids: Any, z_threshold: float = 3.0) -> Detection:
        """Test texts: the mean g-value of unmarked text is one half.

        Raises:
            GenerationError: a text is shorter than ngram_len.
        """
        values, counts = self.g_values(input_ids)
        layers = values.shape[2]
        scored = counts.sum(dim=1).cpu().double()
        hits = (values.sum(dim=2) * counts).sum(dim=1).cpu().double() / layers
        return _judged(scored, hits, 0.5, (scored / layers).sqrt() / 2, z_threshold)


def _judged(scored: Tensor, hits: Tensor, chance: float, deviation: Tensor, threshold: float) -> Detection:
    z = torch.where(scored > 0, (hits - chance * scored) / deviation, 0.0)
    return Detection(
        num_tokens_scored=scored,
        hits=hits,
        z_score=z,
        p_value=torch.special.erfc(z / math.sqrt(2)) / 2,
        prediction=z > threshold,
    )


def _as_ids(input_ids: Any, least: int, vocabulary: int | None) -> Tensor:
    ids = torch.as_tensor(input_ids, device="cpu")
    if ids.dim() != 2 or ids.is_floating_point():
        raise GenerationError(f"texts are ids of shape (texts, tokens), found {ids.dtype} of {tuple(ids.shape)}")
    if ids.shape[1] < least:
        raise GenerationError(f"texts of {ids.shape[1]} tokens cannot be judged: the watermark needs at least {least}")
    if vocabulary is not None and ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < vocabulary:
        raise GenerationError(f"ids from {int(ids.min())} to {int(ids.max())}: the vocabulary has {vocabulary} tokens")
    return ids.long()
