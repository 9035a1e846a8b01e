"""Sides take turns; medians; tokens are compared."""

from benchmarks.alternating import entry, equal_tokens, in_turn


def test_sides_take_turns():
    order = []

    def side(name, values):
        def measure():
            order.append(name)
            return {"speed": next(values), "tokens": [1, 2, 3 if name == "ours" else 4]}

        return measure

    found = in_turn("test", 3, {"ours": side("ours", iter([1.0, 9.0, 2.0])), "theirs": side("theirs", iter([4.0] * 3))})
    assert order == ["ours", "theirs"] * 3
    kept = entry(found)
    assert kept["median"] == {"ours": {"speed": 2.0}, "theirs": {"speed": 4.0}}
    assert kept["runs"]["ours"] == [{"speed": 1.0}, {"speed": 9.0}, {"speed": 2.0}]
    assert equal_tokens(found, "ours", "theirs") == 2
    assert equal_tokens(found, "ours", "ours") == 3


def test_what_is_no_number_has_no_median():
    found = {"ours": [{"torch": True, "token": "a", "size": 3}]}
    assert entry(found)["median"] == {"ours": {"size": 3}}
