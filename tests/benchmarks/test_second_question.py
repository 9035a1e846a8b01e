"""The second question is measured both ways, at a size that says nothing about speed, and the answers are the same."""

from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="requirements/bench.txt")

from benchmarks.parts import second_question
from benchmarks.work.second_question import NEW_TOKENS, QUESTION_TOKENS, prepare


def test_both_ways_answer_alike() -> None:
    found = {how: prepare("ours", how, "tiny")(2) for how in second_question.SIDES}
    assert found["remembered"]["tokens"] == found["anew"]["tokens"]
    assert len(found["anew"]["tokens"]) == NEW_TOKENS
    assert found["anew"]["prompt_tokens"] == 2 * 4 + 2 * QUESTION_TOKENS + NEW_TOKENS
    assert 0 < found["anew"]["first_token_seconds"] < found["anew"]["seconds"]


def test_table_and_plot(tmp_path: Path) -> None:
    sides = {how: {"first_token_seconds": value, "seconds": 2 * value, "prompt_tokens": 300}
             for how, value in (("remembered", 0.1), ("anew", 0.4))}  # fmt: skip
    one = {"median": sides, "runs": {how: [values] * 5 for how, values in sides.items()}, "equal_tokens": 16}
    entries = {f"{count} images": one for count in second_question.IMAGES}
    page = "\n".join(second_question.section(entries).lines())
    assert "| 1 images, 300 tokens, until the first new one | 0.100 s | read again: 0.400 s | **0.25** |" in page
    assert "the first 16 with 1 images, 16 with 4 images are the same" in page
    second_question.draw(entries, tmp_path)
    assert (tmp_path / "second_question.png").stat().st_size > 5000
