"""Against an independent implementation in plain Python, on whole forward passes of an independent model."""

import math

import pytest
import torch

PROMPT = (3, 4, 2, 9)
END = (1, 5)


def read(model, text):
    """Scores of the next token, and the hidden states of the last layer."""
    with torch.no_grad():
        states = model.model(torch.tensor([text]), use_cache=False).last_hidden_state[0]
        return model.lm_head(states[-1]).tolist(), states.tolist()


def cosine(one, other):
    dot = sum(a * b for a, b in zip(one, other, strict=True))
    return dot / math.sqrt(sum(a * a for a in one) * sum(b * b for b in other))


def contrastive(model, prompt, *, alpha, count, new, banned=(), repetition=1.0):
    """The algorithm as the paper tells it, one candidate after another. Returns the new tokens and all scores."""
    text, told = list(prompt), []
    for _ in range(new):
        scores, past = read(model, text)
        for token in set(text):
            scores[token] *= repetition if scores[token] < 0 else 1 / repetition
        told.append([-math.inf if token in banned else one for token, one in enumerate(scores)])
        total = sum(math.exp(one) for one in told[-1])
        likeliest = sorted(range(len(scores)), key=lambda token: -told[-1][token])[:count]
        merits = {}
        for token in likeliest:
            if token not in banned:
                state = read(model, [*text, token])[1][-1]
                likeness = max(cosine(state, old) for old in past)
                merits[token] = (1 - alpha) * math.exp(told[-1][token]) / total - alpha * likeness
        text.append(max(merits, key=merits.get))
        if text[-1] in END:
            break
    return text[len(prompt) :], told


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("alpha", "count"), [(0.6, 4), (0.3, 2), (0.9, 8), (1.0, 14), (0.0, 3), (0.45, 5)])
def test_same_texts_and_scores(pair, seed, alpha, count):
    ours, theirs = pair(seed)
    expected, told = contrastive(theirs, PROMPT, alpha=alpha, count=count, new=9)
    options = {"strategy": "contrastive-search"} if alpha == 0 else {}
    found = ours.generate(
        torch.tensor([PROMPT]), penalty_alpha=alpha, top_k=count, max_new_tokens=9, eos_token_id=list(END),
        pad_token_id=0, return_dict_in_generate=True, output_scores=True, output_logits=True, use_cache=seed % 3 != 0,
        **options,
    )  # fmt: skip
    assert found.sequences[0, len(PROMPT) :].tolist() == expected
    torch.testing.assert_close(torch.cat(found.scores), torch.tensor(told), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(torch.cat(found.logits), torch.tensor(told), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("alpha", [0.5, 0.8])
def test_left_padded_batches(pair, seed, alpha):
    ours, theirs = pair(seed)
    prompts = [[5, 3, 8, 2, 7], [9, 4], [7], [12, 13, 6]]
    ids = torch.tensor([[0] * (5 - len(one)) + one for one in prompts])
    mask = torch.tensor([[0] * (5 - len(one)) + [1] * len(one) for one in prompts])
    found = ours.generate(
        ids,
        attention_mask=mask,
        penalty_alpha=alpha,
        top_k=4,
        max_new_tokens=10,
        eos_token_id=list(END),
        pad_token_id=0,
    )
    for row, prompt in enumerate(prompts):
        expected, _ = contrastive(theirs, prompt, alpha=alpha, count=4, new=10)
        said = found[row, 5:].tolist()
        assert said[: len(expected)] == expected
        assert set(said[len(expected) :]) <= {0}


@pytest.mark.parametrize("seed", range(6))
def test_processors_act_before_candidates_are_taken(pair, seed):
    ours, theirs = pair(seed)
    banned = (2, 3, 6, 7, 8, 9, 10, 11, 12, 13)  # four are left for six candidates
    expected, told = contrastive(theirs, PROMPT, alpha=0.9, count=6, new=7, banned=banned, repetition=1.3)
    found = ours.generate(
        torch.tensor([PROMPT]), penalty_alpha=0.9, top_k=6, max_new_tokens=7, eos_token_id=list(END), pad_token_id=0,
        suppress_tokens=list(banned), repetition_penalty=1.3, return_dict_in_generate=True, output_scores=True,
    )  # fmt: skip
    assert found.sequences[0, len(PROMPT) :].tolist() == expected
    torch.testing.assert_close(torch.cat(found.scores), torch.tensor(told), rtol=1e-4, atol=1e-4)
