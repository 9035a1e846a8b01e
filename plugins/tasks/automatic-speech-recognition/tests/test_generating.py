"""Models that listen and then write: short sounds, long ones from time stamp to time stamp, languages."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import transformers

from modelry import pipeline
from modelry.errors import PipelineError
from modelry_automatic_speech_recognition.sequential import (
    History,
    Listening,
    Segment,
    Written,
    segments_of,
    transcribed,
)
from modelry_automatic_speech_recognition.subtitles import to_srt, to_vtt

TIME = 100
"""The token of 0.00 seconds; each further one is 0.02 seconds later."""


def at(seconds: float) -> int:
    return TIME + round(seconds / 0.02)


SAID: dict[str, tuple[list[int], bool, list[Segment], float]] = {
    "nothing": ([], False, [], 30.0),
    "words without times": ([1, 2], False, [Segment(0.0, 30.0, [1, 2])], 30.0),
    "one complete": ([at(0), 1, 2, at(4)], False, [Segment(0.0, 4.0, [1, 2])], 30.0),
    "one complete, one begun": (
        [at(0), 1, 2, at(4), at(4), 3],
        False,
        [Segment(0.0, 4.0, [1, 2])],
        4.0,
    ),
    "two complete, silence": (
        [at(1), 1, at(4), at(5), 3, at(9), at(9)],
        False,
        [Segment(1.0, 4.0, [1]), Segment(5.0, 9.0, [3])],
        9.0,
    ),
    "begun in the last window": (
        [at(0), 1, at(4), at(4), 3],
        True,
        [Segment(0.0, 4.0, [1]), Segment(4.0, 30.0, [3])],
        30.0,
    ),
    "none complete": ([at(2), 1, 2], False, [Segment(2.0, 30.0, [1, 2])], 30.0),
}


@pytest.mark.parametrize("case", SAID)
def test_segments(case: str) -> None:
    tokens, whole, expected, done = SAID[case]
    heard = segments_of(Written(tokens), first=TIME, step=0.02, length=30.0, whole=whole)
    assert [(round(one.begin, 2), round(one.end, 2), one.tokens) for one in heard.segments] == [
        tuple(one)[:3] for one in expected
    ]
    assert heard.done == pytest.approx(done)
    assert heard.used == (len(tokens) if done == 30.0 else 4 if case == "one complete, one begun" else 6)


def test_no_word_is_lost_or_doubled() -> None:
    """A speaker who says word n from second 2n to 2n + 2, and a listener who hears whole words only."""
    told: list[list[int]] = []
    sound = np.arange(41 * 10, dtype=np.float32)  # 10 Hz, 41 seconds: each sample is its own number

    def write(part: np.ndarray, before: list[int]) -> Written:
        begin, end = part[0] / 10, (part[-1] + 1) / 10
        tokens = []
        for word in range(20):
            if begin <= 2 * word and 2 * word + 2 <= end:
                tokens += [at(2 * word - begin), word, at(2 * word + 2 - begin)]
            elif begin <= 2 * word < end:
                tokens += [at(2 * word - begin), 99]
        told.append(before)
        return Written(tokens, ends=[0.1 * place for place in range(len(tokens))])

    blocks = [sound[start : start + 37] for start in range(0, len(sound), 37)]
    steps: list[float] = []
    history = History([77], 3)
    found = transcribed(
        Listening(blocks, 130), write, rate=10, first=TIME, step=0.02, history=history, went_on=steps.append
    )
    assert [token for one in found for token in one.tokens] == list(range(20))
    assert [round(one.begin) for one in found] == [2 * word for word in range(20)]
    assert sum(steps) == pytest.approx(41)
    assert told[0] == [77]
    assert told[1] == [at(10.0), 5, at(12.0)]
    assert found[1].times == [pytest.approx((0.3, 0.4))]
    history.add(Written([1, 2], temperature=0.6), 2)
    assert history.tokens == []


def test_a_window_without_progress_ends() -> None:
    silence = np.zeros(100, dtype=np.float32)
    found = transcribed(
        Listening([silence], 10), lambda part, before: Written([at(0), at(0)]), rate=10, first=TIME, step=0.02
    )
    assert found == []


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning", "ignore::DeprecationWarning")
def test_a_short_sound(whisper: Path, noise: Callable) -> None:
    ours = pipeline("automatic-speech-recognition", model=whisper, device="cpu", language="de")
    model = transformers.WhisperForConditionalGeneration.from_pretrained(whisper)
    extractor = transformers.WhisperFeatureExtractor.from_pretrained(whisper)
    for length in (16000, 4000):
        made = extractor(noise(length), sampling_rate=16000, return_tensors="pt")
        suppressed = ours.model.generation_config.suppress_tokens
        times = list(range(model.config.vocab_size - 51, model.config.vocab_size))
        options = {"language": "de", "task": "transcribe", "do_sample": False, "num_beams": 5, "max_new_tokens": 6}
        for key in ("lang_to_id", "task_to_id", "no_timestamps_token_id"):
            setattr(model.generation_config, key, getattr(ours.model.generation_config, key))
        model.generation_config.is_multilingual = True
        expected = model.generate(made.input_features, suppress_tokens=[*suppressed, *times], **options)
        call = {"task": "transcribe", "max_new_tokens": 6, "suppress_tokens": [*suppressed, *times]}
        found = ours(noise(length), generate_kwargs=call)
        assert found == {"text": ours.tokenizer.decode(expected[0], skip_special_tokens=True)}


def test_a_long_sound(whisper: Path, noise: Callable) -> None:
    transcribe = pipeline("automatic-speech-recognition", model=whisper, device="cpu", language="en")
    found = transcribe(noise(40000), return_timestamps=True)
    times = [time for chunk in found["chunks"] for time in chunk["timestamp"]]
    assert found["text"] == "".join(chunk["text"] for chunk in found["chunks"])
    assert times == sorted(times)
    assert 0 <= times[0] <= times[-1] <= 2.5
    assert transcribe(noise(40000)) == {"text": found["text"]}
    together = transcribe([noise(40000), noise(5000)], batch_size=2)
    assert together[0] == {"text": found["text"]}
    assert transcribe(noise(5000), output_format="vtt")["vtt"].startswith("WEBVTT\n\n00:00:")


def test_the_language_is_told(whisper: Path, noise: Callable) -> None:
    transcribe = pipeline("automatic-speech-recognition", model=whisper, device="cpu", generate_kwargs={"num_beams": 1})
    made = transcribe.feature_extractor(noise(5000), sampling_rate=16000, return_tensors="pt")
    (heard,) = transcribe.model.detect_language(made["input_features"]).tolist()
    name = transcribe.tokenizer.language_name(heard)
    found = transcribe(noise(5000), return_language=True)
    assert found["chunks"] == [{"language": name, "text": found["text"]}]
    assert found["text"] == transcribe(noise(5000))["text"]
    for options in ({}, {"return_timestamps": True}, {"chunk_length_s": 0.5, "return_timestamps": True}):
        found = transcribe(noise(20000), return_language=True, language="de", **options)
        assert {chunk["language"] for chunk in found["chunks"]} == {"german"}
        assert ("timestamp" in found["chunks"][0]) == bool(options)
    assert "language" not in transcribe(noise(5000), return_timestamps=True)["chunks"][0]


def test_a_smaller_model_drafts(whisper: Path, noise: Callable) -> None:
    greedy = pipeline("automatic-speech-recognition", model=whisper, device="cpu", generate_kwargs={"num_beams": 1})
    drafted = pipeline("automatic-speech-recognition", model=whisper, device="cpu", assistant_model=whisper)
    for options in ({}, {"return_timestamps": True}, {"chunk_length_s": 0.5, "return_timestamps": True}):
        assert drafted(noise(20000), **options) == greedy(noise(20000), **options)
        beside = {"generate_kwargs": {"assistant_model": greedy.model}}
        assert drafted(noise(20000), **options, **beside) == greedy(noise(20000), **options)
    thresholds = {"num_beams": 1, "temperature": (0.0,), "logprob_threshold": -1.0}
    assert drafted(noise(5000), generate_kwargs=thresholds) == greedy(noise(5000), generate_kwargs=thresholds)


def test_refused(whisper: Path, noise: Callable) -> None:
    transcribe = pipeline("automatic-speech-recognition", model=whisper, device="cpu")
    with pytest.raises(PipelineError, match="return_timestamps='word' needs alignment_heads"):
        transcribe(noise(500), return_timestamps="word")
    with pytest.raises(PipelineError, match="return_timestamps='char' needs a model that writes frame by frame"):
        transcribe(noise(500), return_timestamps="char")
    with pytest.raises(PipelineError, match=r"chunk_length_s is 20, and .* hears 1 seconds at once"):
        transcribe(noise(500), chunk_length_s=20)
    with pytest.raises(PipelineError, match="does not know the language 'klingon'"):
        transcribe(noise(500), language="klingon")


def test_subtitles() -> None:
    chunks = [
        {"text": " Hello there, you.", "timestamp": (0.0, 2.5)},
        {"text": "one", "timestamp": (3.0, 3.2)},
        {"text": "<two>", "timestamp": (3.3, 3.5)},
        {"text": "late", "timestamp": (3725.25, 3726.0)},
    ]
    assert to_srt(chunks) == (
        "1\n00:00:00,000 --> 00:00:02,500\nHello there, you.\n\n"
        "2\n00:00:03,000 --> 00:00:03,500\none <two>\n\n"
        "3\n01:02:05,250 --> 01:02:06,000\nlate\n"
    )
    assert to_vtt(chunks[1:3]) == "WEBVTT\n\n00:00:03.000 --> 00:00:03.500\none &lt;two&gt;\n"


def test_another_search_needs_no_word_about_beams(whisper: Path, noise: Callable) -> None:
    """Nobody has asked for the five beams that are searched where nothing is said."""
    transcribe = pipeline("automatic-speech-recognition", model=whisper, device="cpu")
    expected = transcribe(noise(5000), generate_kwargs={"num_beams": 1})
    assert transcribe(noise(5000), generate_kwargs={"prompt_lookup_num_tokens": 3}) == expected
    assert transcribe(noise(5000), generate_kwargs={"choices": ["ab"]})["text"] == "ab"
    with pytest.raises(PipelineError, match="num_return_sequences=2: a sound has one transcript here"):
        transcribe(noise(5000), generate_kwargs={"num_beams": 2, "num_return_sequences": 2})
