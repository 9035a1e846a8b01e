"""Finished rows leave the batch, and nobody sees it: texts, draws, streams and records are as if they had stayed."""

import pytest
import torch

from modelry.errors import GenerationError
from modelry.generation import LogitsProcessor, Session, generate
from modelry.generation.streamers import BaseStreamer

PROMPTS = torch.tensor([[0, 0, 3, 4, 5], [7, 8, 9, 10, 11], [0, 2, 6, 4, 9], [1, 2, 3, 4, 5], [0, 0, 0, 0, 8]])
MASK = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1], [0, 1, 1, 1, 1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 1]])
ENDS = [3, 7, 12, 15, 20, 24]
PAD = 28


class Recorder(BaseStreamer):
    def __init__(self):
        self.values = []

    def put(self, value):
        self.values.append(value.tolist())

    def end(self):
        pass


@pytest.fixture
def staying(monkeypatch):
    """Run a function with rows that stay."""

    def run(function):
        with monkeypatch.context() as patched:
            patched.setattr(Session, "drop_finished", lambda self: None)
            return function()

    return run


def answer(toy, **options):
    given = {"attention_mask": MASK, "max_new_tokens": 14, "eos_token_id": ENDS, "pad_token_id": PAD}
    return generate(toy, PROMPTS, **{**given, **options})


def rows_of(toy, function):
    """(what the function returns, rows of each forward pass)."""
    toy.calls.clear()
    found = function()
    return found, [rows for rows, _ in toy.calls]


CASES = {
    "greedy": {},
    "sampled": {"do_sample": True, "seed": 3},
    "several of each": {"do_sample": True, "num_return_sequences": 3, "seed": 4},
    "repetition penalty": {"repetition_penalty": 1.4, "no_repeat_ngram_size": 2},
    "prefix function": {"prefix_allowed_tokens_fn": lambda prompt, ids: [ENDS[prompt], 9 + prompt, int(ids[-1]) % 7]},
    "guidance": {"guidance_scale": 1.5, "negative_prompt_ids": PROMPTS.flip(1)},
    "no cache": {"use_cache": False},
}


@pytest.mark.parametrize("case", CASES)
def test_leaving_changes_no_text(toy, staying, case):
    left, shrinking = rows_of(toy, lambda: answer(toy, **CASES[case]))
    stayed, all_along = rows_of(toy, lambda: staying(lambda: answer(toy, **CASES[case])))
    assert torch.equal(left, stayed)
    assert min(shrinking) < min(all_along)


def test_it_waits_until_a_quarter_has_finished(toy, strategy):
    counts = []

    def decode(session, parameters):
        logits = session.start(copies=4)
        end = session.settings.ends.end_tokens[0]
        for step in range(1, 9):
            session.emit(torch.tensor([end] * step + [1] * (session.rows - step)) if step < 6 else session.last)
            session.drop_finished()
            counts.append(session.rows)
            assert session.ids.shape[0] == session.finished.shape[0] == session.prompts.shape[0] == session.rows
            logits = session.step(session.last[:, None])
            assert logits.shape[0] == session.rows

    with strategy(decode):
        found = answer(toy, strategy="toy-strategy")
    assert counts[:5] == [20, 20, 20, 20, 15]
    assert found.shape == (20, 13)


def test_streams_show_every_row(toy, staying):
    one, other = Recorder(), Recorder()
    answer(toy, streamer=one)
    staying(lambda: answer(toy, streamer=other))
    assert one.values == other.values


class PerRow(LogitsProcessor):
    """Counts the rows it is told of."""

    def __init__(self, rows):
        self.rows = torch.arange(rows)

    def keep(self, rows):
        self.rows = self.rows[rows]

    def __call__(self, input_ids, scores):
        assert len(self.rows) == len(scores)
        return scores.roll(1, -1) if len(scores) == len(PROMPTS) else scores + self.rows[:, None] * 0


def test_processors_follow(toy):
    answer(toy, logits_processor=[PerRow(len(PROMPTS))])


@pytest.mark.parametrize(
    "options",
    [
        {"return_dict_in_generate": True, "output_scores": True},
        {"stopping_criteria": [lambda ids, scores: torch.zeros(len(PROMPTS), dtype=torch.bool)]},
        {"logits_processor": [lambda ids, scores: scores + torch.zeros(len(PROMPTS), 1)]},
    ],
    ids=["a record", "a criterion", "a function that processes"],
)
def test_rows_stay_where_somebody_counts_on_them(toy, options):
    _, rows = rows_of(toy, lambda: answer(toy, **options))
    assert set(rows) == {len(PROMPTS)}


def test_rows_stay_in_a_cache_of_the_callers(toy):
    cache = toy.make_cache()
    answer(toy, past_key_values=cache)
    assert cache.rows == len(PROMPTS)


def test_an_error_names_rows_by_their_places_at_the_start(toy):
    """Row 1 is the one that everything is ruled out for, when others have left."""

    class Spoils(LogitsProcessor):
        rows = torch.arange(5)

        def __call__(self, ids, scores):
            left = scores.shape[0] < 5
            return scores.masked_fill((self.rows == 1)[:, None] & left, float("-inf"))

        def keep(self, rows):
            self.rows = self.rows[rows]

    with pytest.raises(GenerationError, match=r"ruled out in rows \[1\] at"):
        answer(toy, logits_processor=Spoils(), eos_token_id=[*ENDS, toy.greedy([3, 4, 5], 1)[-1]])
