"""The automata agree with a search of the whole text, and what they say is needed suffices."""

import itertools

import pytest
import torch

from modelry_constrained_beam_search.automata import Automata

DEMANDS = [
    [[(1, 2)], [(2, 1), (3,)]],
    [[(1, 1, 2)], [(1, 2, 1, 1)]],
    [[(1, 2, 3), (2, 3), (2,)]],
    [[(3,)], [(3,)]],
]


def contains(text, phrase):
    return any(tuple(text[at : at + len(phrase)]) == phrase for at in range(len(text)))


@pytest.fixture(params=["few combinations", "too many combinations"])
def either_way(request, monkeypatch):
    if request.param != "few combinations":
        monkeypatch.setattr("modelry_constrained_beam_search.automata._FEW", 0)
    return request.param


def test_what_is_needed_counts_on_overlaps():
    assert Automata([[(1, 2)], [(2, 1), (3,)]], torch.device("cpu")).whole == 3
    assert Automata([[(1, 2, 3)], [(3, 4, 1)]], torch.device("cpu")).whole == 5
    assert Automata([[(1, 2, 1)], [(2,)]], torch.device("cpu")).whole == 3


def test_too_many_combinations_count_every_phrase(monkeypatch):
    monkeypatch.setattr("modelry_constrained_beam_search.automata._FEW", 0)
    assert Automata([[(1, 2, 3)], [(3, 4, 1)]], torch.device("cpu")).whole == 6


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("demands", DEMANDS)
def test_nothing_is_needed_exactly_where_all_demands_are_met(demands):
    texts = torch.tensor(list(itertools.product(range(5), repeat=5)))
    automata = Automata(demands, torch.device("cpu"))
    states = automata.start(len(texts))
    assert set(automata.needed(states).tolist()) == {automata.whole}
    for step in range(5):
        states = automata.after(states, automata.letters(5)[texts[:, step]])
        met = [
            all(any(contains(text[: step + 1], one) for one in demand) for demand in demands) for text in texts.tolist()
        ]
        assert (automata.needed(states) == 0).tolist() == met


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("demands", DEMANDS)
def test_there_is_always_a_token_after_which_one_less_is_needed(demands):
    automata = Automata(demands, torch.device("cpu"))
    states = automata.start(1)
    for _ in range(6):  # every state that texts of six tokens reach
        needed = automata.needed(states)
        later = automata.after_each_letter(states)
        nearer = automata.needed(later).amin(dim=1)
        assert bool(((nearer < needed) | (needed == 0)).all())
        states = later.flatten(0, 1).unique(dim=0)
