"""Whether a goal counts as met, and that the table says so."""

from benchmarks.goals import Goal, compare, summary, table

ENTRY = {
    "median": {"ours": {"speed": 30.0, "seconds": 1.0}, "theirs": {"speed": 20.0, "seconds": 4.0}},
    "runs": {
        "ours": [{"speed": 28.0, "seconds": 1.0}, {"speed": 32.0, "seconds": 1.0}],
        "theirs": [{"speed": 20.0, "seconds": 5.0}, {"speed": 20.0, "seconds": 4.0}],
    },
}


def test_a_limit_itself_keeps_the_goal():
    assert Goal(at_least=1.5).met(1.5)
    assert not Goal(at_least=1.5).met(1.49)
    assert Goal(at_most=0.15).met(0.15)
    assert not Goal(at_most=0.15).met(0.16)


def test_a_ratio_is_ours_over_theirs_with_the_spread_of_runs_that_followed_each_other():
    row = compare("decode", ENTRY, "speed", goal=Goal(at_least=1.5))
    assert (row.ratio, row.spread, row.met) == (1.5, "1.40 to 1.60 (2)", True)
    assert (row.other, row.theirs) == ("transformers", "20 tokens/s")


def test_a_goal_may_be_about_our_number_alone():
    row = compare("time", ENTRY, "seconds", form="{:.1f} s", goal=Goal(at_most=0.9, unit="s"), absolute=True)
    assert row.ratio == 0.25
    assert row.met is False


def test_the_table_tells_goal_and_verdict():
    rows = [
        compare("fast", ENTRY, "speed", goal=Goal(at_least=1.0)),
        compare("slow", ENTRY, "speed", goal=Goal(at_least=2.0)),
        compare("no goal", ENTRY, "speed"),
    ]
    *_, fast, slow, free = table(rows)
    assert fast.endswith("| ≥ 1.0 × | yes |")
    assert slow.endswith("| ≥ 2.0 × | **no** |")
    assert free.endswith("|  |  |")
    assert summary(rows) == "1 of 2 goals were met; missed: slow (beside transformers, ≥ 2.0 ×)."
    assert summary(rows[:1]) == "1 of 1 goals were met."
