"""Words, and when they are said: as transformers has them, on a tiny random model."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers.models.whisper.generation_whisper import _dynamic_time_warping
from transformers.models.whisper.tokenization_whisper import _combine_tokens_into_words

from modelry.errors import GenerationError
from modelry_whisper import WhisperForConditionalGeneration
from modelry_whisper.alignment import cheapest_way, median_filter
from modelry_whisper.words import words_of

HEADS = [[0, 1], [1, 0], [1, 1]]
CALLS: dict[str, dict[str, Any]] = {
    "plain": {},
    "beams": {"num_beams": 3},
    "time stamps": {"return_timestamps": True},
    "part of the sound": {"attention_mask": (torch.arange(40) < 26).long()[None]},
    "language": {"language": "de", "task": "translate"},
}


@pytest.mark.parametrize(("tokens", "frames"), [(5, 40), (1, 9), (12, 12), (30, 7), (17, 100)])
def test_the_cheapest_way(tokens: int, frames: int) -> None:
    costs = np.random.default_rng(tokens).normal(size=(tokens, frames))
    words, times = _dynamic_time_warping(costs)
    begins = times[np.pad(np.diff(words), (1, 0), constant_values=1).astype(bool)]
    assert cheapest_way(costs).tolist() == begins.tolist()


def test_equal_costs() -> None:
    costs = np.zeros((4, 9))
    words, times = _dynamic_time_warping(costs)
    assert (
        cheapest_way(costs).tolist() == times[np.pad(np.diff(words), (1, 0), constant_values=1).astype(bool)].tolist()
    )


def test_median_filter() -> None:
    x = torch.tensor([[[1.0, 9.0, 2.0, 8.0, 3.0]]])
    assert median_filter(x, 3).tolist() == [[[9.0, 2.0, 8.0, 3.0, 8.0]]]
    assert torch.equal(median_filter(x, 11), x)
    with pytest.raises(ValueError, match="median_filter_width is 4"):
        median_filter(x, 4)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CALLS)
def test_times_of_tokens(case: str, folder: Path, theirs: Any, features: torch.Tensor) -> None:
    ours = WhisperForConditionalGeneration.from_pretrained(folder)
    for model in (ours, theirs):
        model.generation_config.alignment_heads = HEADS
    call = {"max_new_tokens": 8, "do_sample": False, "return_token_timestamps": True, "suppress_tokens": [40, 41]}
    call |= {"language": "en", "suppress_tokens": [40, 41] if case == "time stamps" else [40, 41, *range(60, 70)]}
    for row in range(len(features)):  # theirs depend on the other rows of a batch, where one ends early
        call |= CALLS[case]
        expected = theirs.generate(features[row : row + 1], **call)
        found = ours.generate(features[row : row + 1], **call)
        count = min(found.sequences.shape[1], expected["token_timestamps"].shape[1])
        assert found.sequences[0, :count].tolist() == expected["sequences"][0, :count].tolist()
        assert found.token_timestamps[0, :count].tolist() == pytest.approx(
            expected["token_timestamps"][0, :count].tolist(), abs=1e-5
        )
        assert found.token_timestamps.diff().min() >= 0
    call["attention_mask"] = call.get("attention_mask", torch.ones(1, 40)).expand(3, 40)
    together = ours.generate(features, **call)
    assert together.token_timestamps[-1, :count].tolist() == pytest.approx(found.token_timestamps[0, :count].tolist())
    theirs.generation_config.alignment_heads = None


def test_heads_that_nobody_named(folder: Path, features: torch.Tensor) -> None:
    model = WhisperForConditionalGeneration.from_pretrained(folder)
    with pytest.raises(GenerationError, match="needs alignment_heads in"):
        model.generate(features, language="en", return_token_timestamps=True, max_new_tokens=3)
    model.generation_config.alignment_heads = HEADS
    with pytest.raises(GenerationError, match="num_frames has 2 numbers for 3 rows"):
        model.generate(features, language="en", return_token_timestamps=True, max_new_tokens=3, num_frames=[1, 2])


class Pieces:
    """Bytes of a text as tokens, for both sides."""

    eos_token_id, language = 1000, None

    def __init__(self, pieces: list[str | bytes]) -> None:
        self.table = [one.encode() if isinstance(one, str) else one for one in pieces]

    def decode(self, tokens: list[int], **options: Any) -> str:
        return b"".join(self.table[token] for token in tokens).decode("utf-8", errors="replace")


TEXTS: dict[str, tuple[list[str | bytes], str | None]] = {
    "pieces of words": ([" Hel", "lo", ",", " wor", "ld", "!"], None),
    "opening marks": ([" said", ' "', "Yes", ".", '"', " (", "no", ")"], None),
    "half characters": ([" caf", b"\xc3", b"\xa9", ".", " na", b"\xc3", b"\xafve"], None),
    "no spaces": (["今日", "は", b"\xe6\x99", b"\xb4", "。"], "japanese"),
    "broken": ([" a", b"\xc3", " b"], None),
    "begins without a space": (["Well", ",", " well", "-", "known", " -", " it"], "english"),
    "one mark": (["."], None),
}


@pytest.mark.parametrize("case", TEXTS)
def test_words(case: str) -> None:
    pieces, language = TEXTS[case]
    side = Pieces(pieces)
    tokens = list(range(len(pieces)))
    words, _, places = _combine_tokens_into_words(side, tokens, language)
    found = words_of(tokens, side.decode, end=1000, language=language)
    assert [one.text for one in found] == words
    assert [one.places for one in found] == places
