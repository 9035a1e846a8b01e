"""Whisper tiny.en, read from CTranslate2's layout, on real speech: words, and borders between windows.

All of it takes less than 20 s of one CPU core: bfloat16, windows together, five beams for a few seconds of sound only.
"""

import re
import subprocess
from difflib import SequenceMatcher
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from modelry import pipeline

pytestmark = pytest.mark.models

NUMBERS = dict(enumerate(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]))
PARAGRAPHS = (Path(__file__).parent / "paragraphs.txt").read_text(encoding="utf-8")
"""Plain words, which a small model understands from a synthetic voice."""
UNDERSTOOD = 0.6
"""Share of a sentence's words that are recognised where it was heard: the voice is a machine's."""


@pytest.fixture(scope="module")
def transcribe(models: Path) -> Any:
    folder = models / "whisper"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there: run `make models`")
    return pipeline("automatic-speech-recognition", model=folder, device="cpu", dtype="bfloat16")


def words(text: str) -> list[str]:
    """Small letters, numbers up to ten as words, no punctuation: as the published evaluation of Whisper compares."""
    spelled = re.sub(r"\d+", lambda found: f" {NUMBERS.get(int(found[0]), found[0])} ", text.lower())
    return re.findall(r"[a-z0-9']+", spelled)


def errors(said: list[str], heard: list[str]) -> int:
    """Words to change, add or take away."""
    row = list(range(len(heard) + 1))
    for number, word in enumerate(said, start=1):
        last, row[0] = row[0], number
        for place, other in enumerate(heard, start=1):
            last, row[place] = row[place], min(last + (word != other), row[place] + 1, row[place - 1] + 1)
    return row[-1]


def test_errors() -> None:
    assert errors(words("One, two 3."), words("1 two three")) == 0
    assert errors([*"abcd"], [*"axc"]) == 2
    assert errors([], ["a"]) == 1


def test_word_error_rate(models: Path, transcribe: Any) -> None:
    """With the five beams that the task takes by itself: greedily, the counting comes out as "1-2-345-678910."."""
    folder = models / "speech"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there: run `make models`")
    sounds = sorted(folder.glob("*.wav"))
    assert len(sounds) == 3
    answers = transcribe(list(map(str, sounds)), chunk_length_s=30, batch_size=len(sounds))
    found = [one["text"] for one in answers]
    said = [words(path.with_suffix(".txt").read_text()) for path in sounds]
    wrong = sum(errors(one, words(text)) for one, text in zip(said, found, strict=True))
    assert wrong / sum(map(len, said)) <= 0.05, found


@pytest.fixture(scope="module")
def three_minutes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The five paragraphs, read by a machine into one file."""
    if which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed: apt-get install espeak-ng")
    path = tmp_path_factory.mktemp("speech") / "paragraphs.wav"
    command = ["espeak-ng", "-v", "en-us", "-s", "140", "-g", "4", "-w", str(path), PARAGRAPHS]
    subprocess.run(command, check=True)
    return path


def test_no_sentence_is_lost_or_doubled(three_minutes: Path, transcribe: Any) -> None:
    found = transcribe(
        str(three_minutes), chunk_length_s=30, batch_size=4, return_timestamps=True, generate_kwargs={"num_beams": 1}
    )
    sentences = [words(one) for one in re.split(r"(?<=\.)\s+", PARAGRAPHS.strip())]
    said, heard = [word for one in sentences for word in one], words(found["text"])
    matcher = SequenceMatcher(None, said, heard, autojunk=False)
    recognised = {block.a + place for block in matcher.get_matching_blocks() for place in range(block.size)}
    at = 0
    for sentence in sentences:  # each is there, and behind the one before
        share = sum(place in recognised for place in range(at, at + len(sentence))) / len(sentence)
        assert share >= UNDERSTOOD, (" ".join(sentence), found["text"])
        at += len(sentence)
    assert errors(said, heard) / len(said) < 0.1, found["text"]  # what is doubled is an error a word
    times = [time for one in found["chunks"] for time in one["timestamp"]]
    assert times == sorted(times)
