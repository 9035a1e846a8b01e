"""Against an independent implementation in plain Python, on whole forward passes of an independent model."""

import math

import pytest
import torch

PROMPT = (3, 4, 2)
END = (1, 5)


def next_scores(model, text):
    with torch.no_grad():
        return model(torch.tensor([text])).logits[0, -1].log_softmax(-1).tolist()


def diverse(model, *, groups, beams, penalty, new, length_penalty, early_stopping):
    """The algorithm as the paper tells it: one list of (score, text) for each group, one group after another.

    Returns all finished texts with their scores, best first.
    """
    running = [[(0.0, PROMPT)] for _ in range(groups)]
    finished = [[] for _ in range(groups)]
    closed = [False] * groups
    for step in range(1, new + 1):
        said = {}
        for group in range(groups):
            if closed[group]:
                continue
            every = [
                (score + one - penalty * said.get(token, 0), (*text, token))
                for score, text in running[group]
                for token, one in enumerate(next_scores(model, text))
            ]
            every.sort(key=lambda one: -one[0])
            for score, text in every[:beams]:
                if text[-1] in END or step == new:
                    finished[group].append((score / step**length_penalty, text))
            finished[group] = sorted(finished[group], key=lambda one: -one[0])[:beams]
            running[group] = [one for one in every if one[1][-1] not in END][:beams]
            for _, text in running[group] if step < new else every[:beams]:
                said[text[-1]] = said.get(text[-1], 0) + 1
            if len(finished[group]) == beams:
                ahead = new if early_stopping == "never" and length_penalty > 0 else step
                hope = running[group][0][0] / ahead**length_penalty
                closed[group] = early_stopping is True or hope <= finished[group][-1][0]
        if all(closed):
            break
    return sorted((one for group in finished for one in group), key=lambda one: -one[0])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("groups", "beams", "penalty"), [(2, 1, 0.7), (3, 1, 5.0), (2, 2, 0.3), (3, 2, 1.1), (2, 3, 0.5)]
)
def test_same_texts_and_scores(pair, seed, groups, beams, penalty):
    ours, theirs = pair(seed)
    for length_penalty, early_stopping in ((1.0, False), (0.5, True), (2.0, "never"), (-1.0, False)):
        options = {"length_penalty": length_penalty, "early_stopping": early_stopping}
        expected = diverse(theirs, groups=groups, beams=beams, penalty=penalty, new=6, **options)
        count = groups * beams
        found = ours.generate(
            torch.tensor([PROMPT]), num_beams=count, num_beam_groups=groups, diversity_penalty=penalty,
            num_return_sequences=count, max_new_tokens=6, eos_token_id=list(END), pad_token_id=0,
            return_dict_in_generate=True, **options,
        )  # fmt: skip
        for row, (score, text) in enumerate(expected):
            said = found.sequences[row].tolist()
            assert math.isclose(float(found.sequences_scores[row]), score, rel_tol=1e-4), (row, options)
            assert said[: len(text)] == list(text)
            assert set(said[len(text) :]) <= {0}
        assert len(expected) == count
