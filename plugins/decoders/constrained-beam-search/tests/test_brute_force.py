"""Against all texts there are, scored by whole forward passes of an independent model."""

import itertools
import random

import pytest
import torch

PROMPT = torch.tensor([[3, 4, 2]])
END = 1


def contains(text, phrase):
    return any(text[at : at + len(phrase)] == list(phrase) for at in range(len(text)))


def meets(text, demands):
    """Demands are phrases, or lists of phrases of which one must come."""
    return all(
        any(contains(text, one) for one in demand) if isinstance(demand[0], list) else contains(text, demand)
        for demand in demands
    )


def scores_of(model, texts):
    """Log-probabilities (N, L) of texts that are equally long."""
    ids = torch.cat((PROMPT.expand(len(texts), -1), torch.tensor(texts)), dim=1)
    with torch.no_grad():
        logs = model(ids).logits[:, PROMPT.shape[1] - 1 : -1].log_softmax(-1)
    return logs.gather(2, torch.tensor(texts)[..., None])[..., 0]


def best_of_all(model, demands, *, vocabulary, new, length_penalty):
    texts = list(map(list, itertools.product(range(vocabulary), repeat=new)))
    found = {}
    for text, steps in zip(texts, scores_of(model, texts), strict=True):
        length = text.index(END) + 1 if END in text else new
        if meets(text[:length], demands):
            found[tuple(text[:length])] = float(steps[:length].sum()) / length**length_penalty
    return sorted(found.items(), key=lambda one: -one[1])


CASES = {
    "a word": [[4]],
    "a phrase": [[2, 5]],
    "a phrase of one word": [[3, 3]],
    "two words": [[4], [0]],
    "one of two": [[[4, 4], [0, 2]]],
    "one of two of different length": [[[5], [3, 2, 4]], [2]],
    "phrases that overlap": [[2, 5], [5, 2]],
    "a phrase that begins anew inside itself": [[2, 2, 5]],
    "a phrase inside another": [[[2, 3, 4], [3]]],
    "no room for anything else": [[2, 5], [3, 0]],
    "room only where phrases overlap": [[2, 5, 3], [5, 3, 0]],
    "the same twice": [[4], [4]],
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_beams_for_all_texts_find_the_best_of_all(pair, case, length_penalty):
    ours, theirs = pair(3, 6)
    demands = CASES[case]
    expected = best_of_all(theirs, demands, vocabulary=6, new=4, length_penalty=length_penalty)[:3]
    found = ours.generate(
        PROMPT, num_beams=300, num_return_sequences=len(expected), force_words_ids=demands, max_new_tokens=4,
        eos_token_id=END, pad_token_id=0, length_penalty=length_penalty, early_stopping="never",
        return_dict_in_generate=True,
    )  # fmt: skip
    for row, (text, score) in enumerate(expected):
        said = found.sequences[row, PROMPT.shape[1] :].tolist()
        assert said[: len(text)] == list(text)
        assert set(said[len(text) :]) <= {0}
        assert float(found.sequences_scores[row]) == pytest.approx(score, rel=1e-4)


@pytest.mark.parametrize("seed", range(20))
def test_every_text_meets_random_demands(pair, seed):
    """Few beams, tight lengths; and the scores are those of an independent model."""
    choose = random.Random(seed)
    ours, theirs = pair(seed % 4)

    def phrase():
        return [choose.choice([0, 2, 3, 4, 5, 6]) for _ in range(choose.randint(1, 3))]

    demands = [choose.choice([phrase(), [phrase(), phrase()]]) for _ in range(choose.randint(1, 3))]
    shortest = sum(min(map(len, one)) if isinstance(one[0], list) else len(one) for one in demands)
    for beams in (1, 2, 5):
        found = ours.generate(
            PROMPT, num_beams=beams, force_words_ids=demands, max_new_tokens=shortest + choose.randint(0, 4),
            eos_token_id=END, pad_token_id=11, strategy="constrained-beam-search", return_dict_in_generate=True,
            early_stopping=choose.choice([True, False, "never"]),
        )  # fmt: skip
        text = found.sequences[0, PROMPT.shape[1] :].tolist()
        text = text[: text.index(END) + 1] if END in text else text
        assert meets(text, demands), (demands, text)
        score = float(scores_of(theirs, [text]).sum()) / len(text)
        assert float(found.sequences_scores[0]) == pytest.approx(score, rel=1e-4)


def test_more_beams_find_better_texts(pair):
    ours, _ = pair(1)
    scores = [
        float(
            ours.generate(
                PROMPT, num_beams=beams, force_words_ids=[[7, 8], [5]], max_new_tokens=8, pad_token_id=0,
                return_dict_in_generate=True,
            ).sequences_scores[0]
        )
        for beams in (2, 60)
    ]  # fmt: skip
    assert scores[1] >= scores[0]
