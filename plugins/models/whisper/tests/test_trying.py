"""Answers that are written again, or left out: when, and that transformers does the same."""

from pathlib import Path
from typing import Any

import pytest
import torch

from modelry.errors import GenerationError
from modelry_whisper import WhisperForConditionalGeneration
from modelry_whisper.trying import Attempt, Thresholds, compression_ratio, mean_logprob, written_until_believed

CALL: dict[str, Any] = {"language": "en", "max_new_tokens": 8, "suppress_tokens": [40, 41, *range(60, 70)]}
KEPT = {"compression_ratio_threshold": 100.0, "logprob_threshold": -100.0, "no_speech_threshold": 0.0}


def said(values: dict[str, Any]) -> Thresholds:
    return Thresholds.of(values)


def test_what_repeats_itself() -> None:
    assert compression_ratio([7] * 200, 51864) > 10
    assert compression_ratio(list(range(0, 50000, 500)), 51864) < 2


def test_mean_logprob_is_that_of_the_model() -> None:
    scores = torch.randn(3, 9)
    expected = scores.log_softmax(-1)[range(3), [1, 4, 8]].mean()
    assert mean_logprob([1, 4, 8], list(scores), None) == pytest.approx(float(expected), abs=1e-6)
    assert mean_logprob([1, 4, 8], list(scores / 0.5), 0.5) == pytest.approx(float(expected), abs=1e-6)
    assert mean_logprob([], [], None) == 0.0


def test_tried_until_it_is_believed() -> None:
    asked: list[tuple[list[int], Any]] = []

    def write(rows: list[int], temperature: float | None) -> list[Attempt]:
        asked.append((rows, temperature))
        good = {0: 0.0, 1: 0.4, 2: 9.0, 3: 9.0}
        return [Attempt([row], temperature, 1.0, -0.1 if (temperature or 0) >= good[row] else -3.0) for row in rows]

    given = said({"temperature": (0.0, 0.2, 0.4), "logprob_threshold": -1.0, "no_speech_threshold": 0.6})
    found = written_until_believed(write, given, [0.1, 0.1, 0.1, 0.9])
    assert [(one.tokens, one.temperature) for one in found] == [([0], 0.0), ([1], 0.4), ([2], 0.4), ([], 0.0)]
    assert asked == [([0, 1, 2, 3], 0.0), ([1, 2], 0.2), ([1, 2], 0.4)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "thresholds",
    [KEPT, {"temperature": (0.0,), "compression_ratio_threshold": 0.1}, {"num_beams": 2, "logprob_threshold": -9.0}],
    ids=str,
)
def test_an_answer_that_stays(thresholds: dict[str, Any], folder: Path, theirs: Any, features: torch.Tensor) -> None:
    ours = WhisperForConditionalGeneration.from_pretrained(folder)
    found = ours.generate(features, **CALL, **thresholds, return_dict_in_generate=True)
    width = found.sequences.shape[1]
    expected = theirs.generate(features, **{"do_sample": False, "temperature": 0.0, **CALL, **thresholds})
    assert found.sequences.tolist() == expected[:, :width].tolist()
    assert found.temperatures == ((0.0,) * 3 if "temperature" in thresholds else (None,) * 3)


def test_doubtful_answers_are_sampled(folder: Path, features: torch.Tensor) -> None:
    model = WhisperForConditionalGeneration.from_pretrained(folder)
    plain = model.generate(features, **CALL)
    call = {**CALL, "temperature": (0.0, 0.8, 1.0), "logprob_threshold": 0.0, "seed": 1}
    found = model.generate(features, **call, return_dict_in_generate=True)
    assert found.temperatures == (1.0,) * 3
    assert found.sequences.tolist() != plain.tolist()
    assert torch.equal(found.sequences, model.generate(features, **call))
    silent = model.generate(features, **CALL, logprob_threshold=0.0, no_speech_threshold=0.0)
    assert silent.shape == (3, 0)
    assert model.generate(features, **CALL, temperature=0.0).tolist() == plain.tolist()
    sampled = [model.generate(features, **CALL, temperature=2.0, seed=seed).tolist() for seed in (1, 1, 2)]
    assert sampled[0] == sampled[1] != sampled[2]


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ({"temperature": ()}, "temperature is \\(\\)"),
        ({"temperature": (0.0, "hot")}, "temperature is .*'hot'"),
        ({"temperature": -1.0}, "temperature is -1.0"),
        ({"logprob_threshold": "low"}, "logprob_threshold is 'low'"),
        ({"no_speech_threshold": 0.6}, "acts only where the model guesses"),
        ({"condition_on_prev_tokens": True}, "generate\\(\\) hears one window"),
        ({"logprob_threshold": -1.0, "num_return_sequences": 2}, "num_return_sequences does not go with"),
    ],
)
def test_refused(call: dict[str, Any], reason: str, folder: Path, features: torch.Tensor) -> None:
    model = WhisperForConditionalGeneration.from_pretrained(folder)
    with pytest.raises(GenerationError, match=reason):
        model.generate(features, **CALL, **call)
