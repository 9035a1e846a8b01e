"""What is special about beam search beside parity: the best of all texts, padding, time, draws, and refusals."""

import itertools

import pytest
import torch

from modelry.errors import GenerationError

PROMPT = torch.tensor([[3, 4, 2]])
END = 1


def best_of_all(model, vocabulary, new, length_penalty):
    """Every text of at most `new` tokens with its score, by one forward pass without cache; best first."""
    texts = torch.tensor(list(itertools.product(range(vocabulary), repeat=new)))
    with torch.no_grad():
        ids = torch.cat((PROMPT.expand(len(texts), -1), texts), dim=1)
        logs = model(ids).logits[:, PROMPT.shape[1] - 1 : -1].log_softmax(-1)
    steps = logs.gather(2, texts[..., None])[..., 0]
    scored = {}
    for text, step in zip(texts.tolist(), steps, strict=True):
        length = text.index(END) + 1 if END in text else new
        scored[tuple(text[:length])] = float(step[:length].sum()) / length**length_penalty
    return sorted(scored.items(), key=lambda one: -one[1])


@pytest.mark.parametrize("length_penalty", [0.0, 1.0, -0.5])
def test_beams_for_all_texts_find_the_best_of_all(pair, length_penalty):
    ours, theirs = pair(3, 6)
    expected = best_of_all(theirs, 6, 4, length_penalty)[:5]
    found = ours.generate(
        PROMPT, num_beams=300, num_return_sequences=5, max_new_tokens=4, eos_token_id=END, pad_token_id=2,
        length_penalty=length_penalty, early_stopping="never", return_dict_in_generate=True,
    )  # fmt: skip
    for row, (text, score) in enumerate(expected):
        said = found.sequences[row, PROMPT.shape[1] :].tolist()
        assert said[: len(text)] == list(text)
        assert set(said[len(text) :]) <= {2}
        assert float(found.sequences_scores[row]) == pytest.approx(score, rel=1e-4)


def test_scores_follow_from_beam_indices(pair):
    """The rows and steps that beam_indices names add up to the sequence's score."""
    ours, _ = pair(4)
    found = ours.generate(
        PROMPT, num_beams=4, num_return_sequences=3, max_new_tokens=6, eos_token_id=END, pad_token_id=0,
        return_dict_in_generate=True, output_scores=True,
    )  # fmt: skip
    for row in range(3):
        origins = [one for one in found.beam_indices[row].tolist() if one >= 0]
        new = found.sequences[row, PROMPT.shape[1] :].tolist()
        total = sum(float(found.scores[step][at, new[step]]) for step, at in enumerate(origins))
        assert float(found.sequences_scores[row]) == pytest.approx(total / len(origins), rel=1e-4)


def test_a_record_gives_ordinary_tensors_and_plain_ids_are_the_same(pair):
    ours, _ = pair(5)
    options = {"num_beams": 3, "max_new_tokens": 5, "pad_token_id": 0}
    record = ours.generate(PROMPT, return_dict_in_generate=True, **options)
    assert torch.equal(ours.generate(PROMPT, **options), record.sequences)
    assert not record.sequences_scores.is_inference()


def test_prompts_in_one_batch_are_what_each_is_alone(pair):
    ours, _ = pair(6)
    prompts = [[5, 3, 8, 2], [9, 4], [7]]
    ids = torch.tensor([[0] * (4 - len(one)) + one for one in prompts])
    mask = torch.tensor([[0] * (4 - len(one)) + [1] * len(one) for one in prompts])
    options = {"num_beams": 3, "max_new_tokens": 12, "eos_token_id": [1, 6], "pad_token_id": 0}
    together = ours.generate(ids, attention_mask=mask, **options)
    for row, prompt in enumerate(prompts):
        alone = ours.generate(torch.tensor([prompt]), **options)[0, len(prompt) :].tolist()
        said = together[row, 4:].tolist()
        assert said[: len(alone)] == alone
        assert set(said[len(alone) :]) <= {0}


def test_draws_follow_the_seed(pair):
    ours, _ = pair(0)
    options = {"num_beams": 3, "do_sample": True, "max_new_tokens": 8, "pad_token_id": 0}
    texts = [ours.generate(PROMPT, seed=seed, **options).tolist() for seed in (1, 1, 2, 3, 4)]
    assert texts[0] == texts[1]
    assert len(set(map(str, texts))) > 1


def test_time_ends_the_search(pair):
    ours, _ = pair(0)
    found = ours.generate(PROMPT, num_beams=3, max_new_tokens=30, max_time=1e-9, pad_token_id=0)
    assert found.shape == (1, 4)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"num_beams": 2, "num_return_sequences": 3}, "num_return_sequences=3 is more than num_beams=2"),
        ({"num_return_sequences": 2}, "num_return_sequences=2 is more than num_beams=1"),
        ({"num_beams": 0}, "num_beams=0"),
        ({"num_beams": 2, "length_penalty": float("nan")}, "length_penalty=nan"),
        ({"num_beams": 2, "length_penalty": float("inf")}, "length_penalty=inf"),
        ({"num_beams": 2, "length_penalty": 1e4}, "length_penalty=10000.0 is impossible for 5 new tokens"),
        ({"num_beams": 2, "length_penalty": -1e4}, "length_penalty=-10000.0 is impossible"),
        ({"num_beams": 2, "early_stopping": "sometimes"}, "early_stopping='sometimes'"),
        ({"num_beams": 2, "suppress_tokens": list(range(12))}, "every token is ruled out in rows"),
    ],
)
def test_refusals_leave_the_model_usable(pair, options, says):
    ours, _ = pair(0)
    with pytest.raises(GenerationError, match=says):
        ours.generate(PROMPT, strategy="beam-search", max_new_tokens=5, pad_token_id=0, **options)
    assert ours.generate(PROMPT, num_beams=2, max_new_tokens=5, pad_token_id=0).shape == (1, 8)


def test_a_streamer_is_refused(pair):
    class Listener:
        def put(self, value):
            raise AssertionError("nothing is streamed")

        end = put

    with pytest.raises(GenerationError, match="'beam-search' knows its text only at the end"):
        pair(0)[0].generate(PROMPT, num_beams=2, streamer=Listener())


@pytest.mark.parametrize("options", [{}, {"do_sample": True}], ids=["best", "drawn"])
def test_logits_that_are_no_numbers_are_refused(pair, options):
    import copy

    damaged = copy.deepcopy(pair(0)[0])
    with torch.no_grad():
        damaged.lm_head.weight.fill_(float("nan"))
    with pytest.raises(GenerationError, match="the logits are NaN in rows"):
        damaged.generate(PROMPT, num_beams=2, max_new_tokens=5, pad_token_id=0, **options)


@pytest.mark.parametrize("lent", [False, True])
def test_a_conversation_goes_on_from_any_of_the_texts(pair, lent):
    """Rows of the beams are other texts than those returned: what the cache holds in the end is the prompts."""
    ours, _ = pair(6)
    ids, mask = torch.tensor([[3, 4, 2, 7], [0, 0, 5, 6]]), torch.tensor([[1, 1, 1, 1], [0, 0, 1, 1]])
    options = {"num_beams": 3, "num_return_sequences": 3, "eos_token_id": END, "pad_token_id": 0, "max_new_tokens": 6}
    cache = ours.make_cache() if lent else None
    options |= {"past_key_values": cache} if lent else {"return_dict_in_generate": True}
    first = ours.generate(ids, attention_mask=mask, **options)
    texts, cache = (first, cache) if lent else (first.sequences, first.past_key_values)
    longer = torch.nn.functional.pad(texts, (0, 2), value=8)
    seen = torch.nn.functional.pad(mask.repeat_interleave(3, 0), (0, longer.shape[1] - 4), value=1)
    found = ours.generate(longer, attention_mask=seen, max_new_tokens=5, past_key_values=cache, eos_token_id=None)
    alone = ours.generate(longer, attention_mask=seen, max_new_tokens=5, eos_token_id=None)
    assert found.tolist() == alone.tolist()


def test_a_cache_that_cannot_forget_fits_nothing_afterwards(pair, monkeypatch):
    def never(self, count):
        raise ValueError

    ours, _ = pair(6)
    cache = ours.make_cache()
    monkeypatch.setattr(type(cache.layers[0]), "rollback", never)
    options = {"num_beams": 3, "num_return_sequences": 3, "max_new_tokens": 3}
    assert ours.generate(PROMPT, return_dict_in_generate=True, **options).past_key_values is None
    texts = ours.generate(PROMPT, past_key_values=cache, **options)
    with pytest.raises(GenerationError, match="holds 0 rows, and there are 3 prompts"):
        ours.generate(texts, past_key_values=cache)
