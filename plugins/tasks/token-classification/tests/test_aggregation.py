"""Tokens to entities, by examples that can be counted by hand."""

import pytest
import torch

from modelry_token_classification.aggregation import Token, each_token, groups, without_overlaps, words

NAMES = {0: "O", 1: "B-X", 2: "I-X", 3: "Y"}


def token(text: str, start: int, *scores: float, continues: bool = False) -> Token:
    return Token(text, torch.tensor(scores), start, start + len(text), start, continues)


@pytest.mark.parametrize(
    ("strategy", "label", "score"), [("first", "B-X", 0.6), ("max", "Y", 0.9), ("average", "Y", 0.55)]
)
def test_a_word_of_two_tokens(strategy: str, label: str, score: float) -> None:
    parts = [token("mi", 0, 0.1, 0.6, 0.1, 0.2), token("cro", 2, 0.0, 0.1, 0.0, 0.9, continues=True)]
    (word,) = each_token(words(parts, strategy, "".join), NAMES)
    assert (word["entity"], word["word"], word["start"], word["end"]) == (label, "micro", 0, 5)
    assert word["score"] == pytest.approx(score)


def test_groups_begin_with_b() -> None:
    labels = ["B-X", "I-X", "B-X", "O", "Y", "Y", "I-X"]
    entities = [
        {"entity": label, "score": 0.5, "word": str(n), "start": n, "end": n + 1} for n, label in enumerate(labels)
    ]
    found = [(one["entity_group"], one["word"], one["start"], one["end"]) for one in groups(entities, " ".join)]
    assert found == [("X", "0 1", 0, 2), ("X", "2", 2, 3), ("O", "3", 3, 4), ("Y", "4 5", 4, 6), ("X", "6", 6, 7)]


def test_overlaps() -> None:
    spans = [(0, 4, 0.5), (2, 9, 0.1), (9, 12, 0.3), (10, 13, 0.9), (20, 21, 0.5)]
    entities = [{"start": start, "end": end, "score": score} for start, end, score in spans]
    assert [(one["start"], one["end"]) for one in without_overlaps(entities)] == [(2, 9), (10, 13), (20, 21)]
