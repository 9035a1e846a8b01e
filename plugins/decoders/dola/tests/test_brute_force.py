"""Against an independent implementation in plain Python, on whole forward passes of an independent model."""

import math

import pytest
import torch

PROMPT = (3, 4, 2, 9)
ROUNDING = 1e-7
"""Two layers whose divergences are nearer to each other are equally far: threads decide which is the farther."""
END = (1, 5)
DEEP = {"num_hidden_layers": 6}


def shares(logits):
    top = max(logits)
    total = sum(math.exp(one - top) for one in logits)
    return [math.exp(one - top) / total for one in logits]


def relative_entropy(one, other):
    return sum(a * math.log(a / b) for a, b in zip(one, other, strict=True) if a)


def divergence(one, other):
    middle = [(a + b) / 2 for a, b in zip(one, other, strict=True)]
    return (relative_entropy(one, middle) + relative_entropy(other, middle)) / 2


def contrasted(model, text, layers):
    """Scores of the next token (None where the last layer finds it too unlikely), and the logits of the last layer.

    None where rounding decides which layer is the farthest.
    """
    with torch.no_grad():
        output = model(torch.tensor([text]), use_cache=False, output_hidden_states=True)
        early = [model.lm_head(output.hidden_states[layer][0, -1]).tolist() for layer in layers]
    logits = output.logits[0, -1].tolist()
    last = shares(logits)
    *others, most = sorted((divergence(last, shares(one)), place) for place, one in enumerate(early))
    if others and most[0] - others[-1][0] < ROUNDING:
        return None
    farthest = shares(early[most[1]])
    kept = [share >= max(last) / 10 for share in last]
    scores = zip(kept, last, farthest, strict=True)
    return [math.log(one / other) if keeps else None for keeps, one, other in scores], logits


def penalised(scores, text, penalty):
    again = [None if one is None else one * penalty if one < 0 else one / penalty for one in scores]
    return [again[token] if token in text else scores[token] for token in range(len(scores))]


def greedy(model, prompt, layers, *, new, penalty=1.0):
    """New tokens, all scores and all logits, as far as nothing is left to rounding; and whether that is all."""
    text, told, said = list(prompt), [], []
    for _ in range(new):
        found = contrasted(model, text, layers)
        if found is None:
            return text[len(prompt) :], told, said, False
        scores, logits = found
        told.append(penalised(scores, text, penalty))
        said.append(logits)
        text.append(
            max(range(len(logits)), key=lambda token: -math.inf if told[-1][token] is None else told[-1][token])
        )
        if text[-1] in END:
            break
    return text[len(prompt) :], told, said, True


def check_scores(found, told):
    """None: nothing is left of the token's probability."""
    for row, expected in zip(found, told, strict=True):
        for one, other in zip(row.tolist(), expected, strict=True):
            assert one < -1e4 if other is None else math.isclose(one, other, rel_tol=1e-3, abs_tol=1e-3)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    ("asked", "tied", "layers"),
    [
        ("low", False, (0, 2)),
        ("low", True, (2,)),
        ("high", False, (3, 5)),
        ("high", True, (3, 5)),
        ([4, 1, 2], False, (1, 2, 4)),
        ([3], True, (3,)),
        ([0, 1, 2, 3, 4, 5], False, (0, 1, 2, 3, 4, 5)),
    ],
)
@pytest.mark.parametrize("penalty", [1.0, 1.2])
def test_same_texts_scores_and_logits(pair, seed, asked, tied, layers, penalty):
    ours, theirs = pair(seed, tie_word_embeddings=tied, **DEEP)
    expected, told, said, whole = greedy(theirs, PROMPT, layers, new=8, penalty=penalty)
    found = ours.generate(
        torch.tensor([PROMPT]), dola_layers=asked, max_new_tokens=8, eos_token_id=list(END), pad_token_id=0,
        repetition_penalty=penalty, return_dict_in_generate=True, output_scores=True, output_logits=True,
        use_cache=seed % 3 != 0,
    )  # fmt: skip
    count = None if whole else len(expected)
    assert found.sequences[0, len(PROMPT) :].tolist()[:count] == expected
    if expected:
        check_scores(torch.cat(found.scores)[:count], told)
        torch.testing.assert_close(torch.cat(found.logits)[:count], torch.tensor(said), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("seed", range(8))
def test_left_padded_batches_choose_a_layer_for_each_row(pair, seed):
    ours, theirs = pair(seed, **DEEP)
    prompts = [[5, 3, 8, 2, 7], [9, 4], [7], [12, 13, 6]]
    ids = torch.tensor([[0] * (5 - len(one)) + one for one in prompts])
    mask = torch.tensor([[0] * (5 - len(one)) + [1] * len(one) for one in prompts])
    found = ours.generate(
        ids, attention_mask=mask, dola_layers="high", max_new_tokens=10, eos_token_id=list(END), pad_token_id=0,
        repetition_penalty=1.2,
    )  # fmt: skip
    for row, prompt in enumerate(prompts):
        expected, _, _, whole = greedy(theirs, prompt, (3, 5), new=10, penalty=1.2)
        said = found[row, 5:].tolist()
        assert said[: len(expected)] == expected
        assert not whole or set(said[len(expected) :]) <= {0}


@pytest.mark.parametrize("seed", range(6))
def test_drawn_texts_were_drawn_from_the_contrast(pair, seed):
    ours, theirs = pair(seed, **DEEP)
    prompts = torch.tensor([PROMPT, (7, 0, 11, 6)])
    found = ours.generate(
        prompts, dola_layers="low", do_sample=True, num_return_sequences=3, max_new_tokens=5, temperature=1.7, top_k=0,
        seed=seed, pad_token_id=0, return_dict_in_generate=True, output_scores=True,
    )  # fmt: skip
    assert found.sequences.shape == (6, 9)
    for row, text in enumerate(found.sequences.tolist()):
        assert text[:4] == prompts[row // 3].tolist()
        for place in range(5):
            one_step = contrasted(theirs, text[: 4 + place], (0, 2))
            if one_step is None:
                continue
            scores, _ = one_step
            warm = [None if one is None else one / 1.7 for one in scores]
            check_scores([found.scores[place][row]], [warm])
            assert scores[text[4 + place]] is not None


def test_frequencies_of_drawn_tokens(pair):
    """Pearson's chi-square of 4,000 draws stays below its 99.9 % quantile, bounded by Wilson and Hilferty's formula."""
    ours, theirs = pair(2, **DEEP)
    scores, _ = contrasted(theirs, PROMPT, (0, 2))
    warm = [-math.inf if one is None else one / 2 for one in scores]
    expected = {token: share for token, share in enumerate(shares(warm)) if share}
    assert len(expected) > 1
    drawn = ours.generate(
        torch.tensor([PROMPT]), dola_layers="low", do_sample=True, num_return_sequences=4000, max_new_tokens=1,
        temperature=2.0, top_k=0, seed=5, pad_token_id=0,
    )[:, -1].tolist()  # fmt: skip
    assert set(drawn) <= expected.keys()
    statistic = sum((drawn.count(token) - 4000 * share) ** 2 / (4000 * share) for token, share in expected.items())
    freedom = len(expected) - 1
    assert statistic < freedom * (1 - 2 / (9 * freedom) + 3.09 * math.sqrt(2 / (9 * freedom))) ** 3
