"""Stop strings end a row wherever their characters fall among the tokens."""

import pytest
import torch

from modelry.errors import GenerationError
from modelry.generation import StopStringCriteria
from modelry.generation.stop_strings import StopStrings


class Pieces:
    """A tokenizer whose tokens are given texts, in bytes."""

    def __init__(self, *pieces):
        self.pieces = [piece if isinstance(piece, bytes) else piece.encode() for piece in pieces]
        self.decoded = 0

    def decode(self, ids, **options):
        self.decoded += len(ids)
        return b"".join(self.pieces[token] for token in ids).decode("utf-8", "replace")


@pytest.mark.parametrize(
    ("pieces", "stops", "ends"),
    [
        (["Hi", " user", ":"], "user:", [2]),
        (["Hi", "\nUs", "er", ": a"], "\nUser:", [3]),
        (["the end", ".", " more"], ["end.", "xyz"], [1]),
        (["stop and go", " on"], "stop", [0]),
        (["a", "b", "c", "d"], "bc", [2]),
        (["abab", "ab"], "ab", [0, 1]),
        (["aaa", "a"], "aa", [0, 1]),
        ([b"caf\xc3", b"\xa9", b"!"], "café", [1]),
        ([b"\xe2\x82", b"\xac", b"."], "€.", [2]),
        ([b"end\xe2\x82", b"\xac"], "end", [0]),
        (["end", b"\xe2\x82", b"\xac"], "end", [0]),
    ],
)
def test_the_token_that_completes_it_ends_the_row(pieces, stops, ends):
    stop = StopStrings(stops, Pieces(*pieces))
    ids = list(range(len(pieces)))
    assert [end for end in ids if stop.completed_by(ids[: end + 1])] == ends


def test_the_work_for_a_token_does_not_grow():
    tokenizer = Pieces("a", "b")
    stop = StopStrings("bbb", tokenizer)
    stop.completed_by([0] * 10)
    short = tokenizer.decoded
    stop.completed_by([0] * 10_000)
    assert tokenizer.decoded - short <= stop.reach + short


def test_rows_are_judged_one_by_one():
    criterion = StopStringCriteria(Pieces("a", "b", "c"), ["ab"])
    ids = torch.tensor([[0, 1], [0, 2], [1, 1]])
    assert criterion(ids, None).tolist() == [True, False, False]


@pytest.mark.parametrize("strings", ["", [], ["a", ""]])
def test_empty_strings_are_refused(strings):
    with pytest.raises(GenerationError, match="stop_strings"):
        StopStrings(strings, Pieces("a"))


def test_without_a_tokenizer():
    with pytest.raises(GenerationError, match="needs the tokenizer"):
        StopStrings("a", None)
