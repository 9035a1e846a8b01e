"""Windows that overlap: nothing lost, nothing doubled."""

import random

from modelry_automatic_speech_recognition.joining import Token, Window, joined

SECONDS = 0.4
"""That a word takes here."""


def heard(count: int, *, size: float, step: float, timed: bool) -> list[Window]:
    """What a listener makes of words 0, 1, 2 … in windows: whole words, and half a one, 99999, at each cut."""
    found, begin = [], 0.0
    while begin < count * SECONDS:
        end = begin + size
        numbers = [word for word in range(count) if begin <= word * SECONDS and (word + 1) * SECONDS <= end]
        times = [(word * SECONDS, (word + 1) * SECONDS) if timed else (0.0, 0.0) for word in numbers]
        tokens = [Token(word, *time, time) for word, time in zip(numbers, times, strict=True)]
        if end < count * SECONDS:
            tokens.append(Token(99999, *((end - 0.1, end) if timed else (0.0, 0.0))))
        share = (size - step) / size
        found.append(Window(tokens, share if begin else 0.0, share, begin + (size - step) / 2))
        begin += step
    return found


def test_every_word_once() -> None:
    for timed in (False, True):
        for size, step in ((30.0, 20.0), (30.0, 27.1), (11.0, 7.3)):
            windows = heard(300, size=size, step=step, timed=timed)
            assert [token.number for token in joined(windows, str, timed=timed)] == list(range(300)), (size, step)


def test_who_says_the_same_again_and_again_loses_nothing() -> None:
    """Seven words, over and over: which of the repetitions two windows share, only times say."""
    words = [word % 7 for word in range(300)]
    for timed in (False, True):
        for size, step in ((30.0, 20.0), (30.0, 25.0), (11.0, 7.3)):
            windows = [
                window._replace(tokens=[one._replace(number=one.number % 7) for one in window.tokens[: -1 or None]])
                for window in heard(300, size=size, step=step, timed=timed)
            ]
            found = [token.number for token in joined(windows, str, timed=timed)]
            assert abs(len(found) - len(words)) <= 7, (timed, size, step)
            if timed:
                assert found == words[: len(found)], (size, step)


def test_pieces_without_times_of_their_own() -> None:
    """Tokens that know the piece they are in, and not when in it they are said."""
    said = [[word % 4 for word in range(first, last)] for first, last in ((0, 40), (25, 60))]
    left = [Token(word, 0.0, 20.0, (0.0, 20.0)) for word in said[0]]  # half a second a word
    right = [Token(word, 12.5, 30.0, (12.5, 30.0)) for word in said[1]]
    found = joined([Window(left, 0, 0.375, 0.0), Window(right, 15 / 35, 0, 16.0)], str, timed=True)
    assert [token.number for token in found] == [word % 4 for word in range(60)]


def test_capitals_are_the_same_word() -> None:
    words = {1: "we", 2: "met", 3: "And", 4: "and", 5: "he", 6: "left"}
    windows = [
        Window([Token(1), Token(2), Token(4), Token(5)], 0, 0.5, 0),
        Window([Token(3), Token(5), Token(6)], 0.5, 0, 5),
    ]
    found = joined(windows, lambda token: words[token].casefold(), timed=False)
    assert [words[token.number].casefold() for token in found] == ["we", "met", "and", "he", "left"]


def test_without_a_common_word_times_decide() -> None:
    windows = [
        Window([Token(1, 0, 4), Token(2, 7, 8), Token(3, 8.5, 9)], 0, 0.4, 0.0),
        Window([Token(4, 7.5, 8), Token(5, 8.2, 9), Token(6, 12, 13)], 0.4, 0, 8.0),
    ]
    assert [token.number for token in joined(windows, str, timed=True)] == [1, 2, 5, 6]
    assert [token.number for token in joined(windows, str, timed=False)] == [1, 2, 3, 4, 5, 6]
    assert joined([], str, timed=True) == []


def test_pieces_that_were_cut_become_one() -> None:
    left = [Token(1, 0, 1, (0, 1)), Token(2, 7, 8, (7, 9)), Token(3, 8, 9, (7, 9))]
    right = [Token(2, 7, 8, (6.9, 12)), Token(3, 8, 9, (6.9, 12)), Token(4, 9, 12, (6.9, 12))]
    found = joined([Window(left, 0, 0.5, 0), Window(right, 0.5, 0, 8)], str, timed=True)
    assert [(token.number, token.segment) for token in found] == [(1, (0, 1)), (2, (7, 12)), (3, (7, 12)), (4, (7, 12))]


def test_a_wrong_word_in_the_middle() -> None:
    chance = random.Random(0)
    windows = heard(300, size=30.0, step=20.0, timed=False)
    wrong = [
        window._replace(tokens=[token if chance.random() > 0.1 else Token(88888) for token in window.tokens])
        for window in windows
    ]
    found = [token.number for token in joined(wrong, str, timed=False)]
    real = [number for number in found if number < 300]
    assert real == sorted(set(real))
    assert len(real) > 250
