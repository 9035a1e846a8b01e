"""From the scores of tokens to entities: pure functions.

C labels
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Entity = dict[str, Any]
Join = Callable[[list[str]], str]
"""The text that tokens stand for."""


@dataclass(frozen=True)
class Token:
    """A token, or a word made of several."""

    text: str
    scores: Tensor
    """(C,) probabilities."""
    start: int
    """Characters start to end - 1 of the text."""
    end: int
    index: int
    """In its window."""
    continues: bool = False
    """It goes on with the word of the token before it."""


def each_token(tokens: Iterable[Token], names: Mapping[int, str]) -> list[Entity]:
    """Every token with its best label."""
    entities = []
    for token in tokens:
        score, label = token.scores.max(0)
        entities.append(
            {
                "entity": names[int(label)],
                "score": float(score),
                "index": token.index,
                "word": token.text,
                "start": token.start,
                "end": token.end,
            }
        )
    return entities


def words(tokens: Iterable[Token], strategy: str, join: Join) -> Iterator[Token]:
    """Put the tokens of each word together, whose scores are then those of one token or the average of all."""
    group: list[Token] = []
    for token in tokens:
        if group and not token.continues:
            yield _word(group, strategy, join)
            group = []
        group.append(token)
    if group:
        yield _word(group, strategy, join)


def _word(group: list[Token], strategy: str, join: Join) -> Token:
    if strategy == "first":
        scores = group[0].scores
    elif strategy == "max":
        scores = max((token.scores for token in group), key=lambda one: float(one.max()))
    else:
        scores = torch.stack([token.scores for token in group]).mean(0)
    return Token(join([token.text for token in group]), scores, group[0].start, group[-1].end, group[0].index)


def groups(entities: Iterable[Entity], join: Join) -> list[Entity]:
    """Put neighbours of one kind together; a label that begins with B- begins a new group."""
    found: list[list[Entity]] = []
    for entity in entities:
        begins, kind = _kind(entity["entity"])
        if found and not begins and kind == _kind(found[-1][-1]["entity"])[1]:
            found[-1].append(entity)
        else:
            found.append([entity])
    return [
        {
            "entity_group": group[0]["entity"].split("-", 1)[-1],
            "score": sum(entity["score"] for entity in group) / len(group),
            "word": join([entity["word"] for entity in group]),
            "start": group[0]["start"],
            "end": group[-1]["end"],
        }
        for group in found
    ]


def _kind(label: str) -> tuple[bool, str]:
    """Whether a label begins an entity, and of which kind it is."""
    return label.startswith("B-"), label[2:] if label.startswith(("B-", "I-")) else label


def without_overlaps(entities: Sequence[Entity]) -> list[Entity]:
    """Of entities of several windows that overlap, the longest, and of equally long ones the surest."""
    kept: list[Entity] = []
    for entity in sorted(entities, key=lambda one: int(one["start"])):
        if not kept or not kept[-1]["start"] <= entity["start"] < kept[-1]["end"]:
            kept.append(entity)
        elif _weight(entity) > _weight(kept[-1]):
            kept[-1] = entity
    return kept


def _weight(entity: Entity) -> tuple[int, float]:
    return entity["end"] - entity["start"], entity["score"]
