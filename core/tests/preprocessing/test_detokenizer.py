"""Text given out token by token is the text of all tokens, in whole characters, up to the first stop string."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from modelry.preprocessing.detokenizer import Detokenizer
from modelry.preprocessing.tokenizer import Tokenizer

BROKEN = "\N{REPLACEMENT CHARACTER}"


@pytest.fixture(params=["gpt2", "llama3", "unigram", "wordpiece"])
def tokenizer(request: pytest.FixtureRequest, published: Callable[[str], Path]) -> Tokenizer:
    return Tokenizer.from_pretrained(published(request.param), clean_up_tokenization_spaces=False)


@pytest.mark.parametrize("skip", [True, False])
def test_pieces_make_the_whole(tokenizer: Tokenizer, varied_texts: list[str], skip: bool) -> None:
    for text in varied_texts:
        ids = tokenizer.encode(text[:600])
        stream = Detokenizer(tokenizer, skip_special_tokens=skip)
        pieces = [stream.push(token) for token in ids]
        if BROKEN not in text:
            assert not any(BROKEN in piece for piece in pieces)
        assert "".join(pieces) + stream.flush() == tokenizer.decode(ids, skip_special_tokens=skip)


def test_random_ids_make_the_whole(gpt2: Tokenizer) -> None:
    """Most of these bytes are no text."""
    chance = random.Random(5)
    for _ in range(300):
        ids = [chance.randrange(3, 300) for _ in range(chance.randint(1, 25))]
        stream = Detokenizer(gpt2)
        assert "".join(map(stream.push, ids)) + stream.flush() == gpt2.decode(ids)


def test_a_character_is_never_shown_in_pieces(gpt2: Tokenizer) -> None:
    ids = gpt2.encode("𠜎")
    stream = Detokenizer(gpt2)
    assert [stream.push(token) for token in ids] == [""] * (len(ids) - 1) + ["𠜎"]
    stream = Detokenizer(gpt2)
    assert stream.push(ids[:-1]) == ""
    assert BROKEN in stream.flush()


def test_special_tokens_between_words(published: Callable[[str], Path]) -> None:
    """A skipped token must not eat the space of the next."""
    tokenizer = Tokenizer.from_pretrained(published("unigram"), clean_up_tokenization_spaces=False)
    ids = [*tokenizer.encode("the cat"), *tokenizer.encode("the dog")]
    stream = Detokenizer(tokenizer, skip_special_tokens=True)
    assert "".join(map(stream.push, ids)) + stream.flush() == "the cat the dog"


@pytest.mark.parametrize(
    ("text", "stops", "wanted", "found"),
    [
        ("the cat sat on the mat", ["sat"], "the cat ", "sat"),
        ("the cat sat on the mat", ["sax", "mate"], "the cat sat on the mat", None),
        ("the cat sat", ["t s", "cat"], "the ", "cat"),
        ("aaab", ["aab"], "a", "aab"),
        ("ababac", ["abac"], "ab", "abac"),
        ("end</tool>more", ["</tool>"], "end", "</tool>"),
        ("end</too", ["</tool>"], "end</too", None),
        ("one\n\ntwo", ["\n\n", "\n"], "one", "\n"),
        ("x", [""], "x", None),
        ("stop", ["stop", "st"], "", "st"),
        ("😀 yes 🎉", ["🎉"], "😀 yes ", "🎉"),
    ],
)
def test_stop_strings(gpt2: Tokenizer, text: str, stops: list[str], wanted: str, found: str | None) -> None:
    for ids in (gpt2.encode(text), [token for char in text for token in gpt2.encode(char)]):
        stream = Detokenizer(gpt2, stop_strings=stops)
        given = ""
        for token in ids:
            given += stream.push(token)
            assert wanted.startswith(given), "something was shown that belongs to a stop string"
        given += stream.flush()
        assert given == wanted
        assert stream.stopped in (found, *stops) if found else stream.stopped is None
        assert stream.push(ids[0]) == "" or found is None


def test_constant_time(gpt2: Tokenizer) -> None:
    """Thousands of tokens, and as many that never become text."""
    stream = Detokenizer(gpt2, stop_strings=["</never>"])
    begun = time.thread_time()
    for token in gpt2.encode("the cat sat on the mat ") * 300:
        stream.push(token)
    broken = gpt2.convert_tokens_to_ids("ÿ")
    for _ in range(2000):
        stream.push(broken)
    assert time.thread_time() - begun < 10
    assert len(stream.flush()) < 100
