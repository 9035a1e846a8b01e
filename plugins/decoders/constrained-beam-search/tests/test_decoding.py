"""Constraint objects, batches, end tokens, stop criteria, and refusals."""

import pytest
import torch

from modelry.errors import GenerationError
from modelry_constrained_beam_search import DisjunctiveConstraint, PhrasalConstraint

PROMPT = torch.tensor([[3, 4, 2]])
PLAIN = {"num_beams": 4, "max_new_tokens": 6, "pad_token_id": 0}


def test_constraints_are_force_words_by_another_name(pair):
    ours, _ = pair(0)
    words = ours.generate(PROMPT, force_words_ids=[[5, 6], [[7], [8, 9]]], **PLAIN)
    objects = [PhrasalConstraint([5, 6]), DisjunctiveConstraint([[7], [8, 9]])]
    assert torch.equal(ours.generate(PROMPT, constraints=objects, **PLAIN), words)
    mixed = ours.generate(PROMPT, constraints=objects[1:], force_words_ids=[[5, 6]], **PLAIN)
    assert torch.equal(mixed, words)


def test_the_prompt_does_not_count(pair):
    said = pair(0)[0].generate(PROMPT, force_words_ids=[[4, 2]], **PLAIN)[0, 3:].tolist()
    assert "4, 2" in str(said)


def test_several_texts_are_different_and_all_meet_the_demands(pair):
    found = pair(2)[0].generate(PROMPT, force_words_ids=[[7]], num_return_sequences=4, eos_token_id=[1, 5], **PLAIN)
    texts = [tuple(row) for row in found[:, 3:].tolist()]
    assert len(set(texts)) == 4
    assert all(7 in text for text in texts)


@pytest.mark.parametrize("scores", [False, True], ids=["settled prompts leave", "all rows stay"])
def test_prompts_in_one_batch_are_what_each_is_alone(pair, scores):
    ours, _ = pair(6)
    prompts = [[5, 3, 8, 2], [9, 4], [7]]
    ids = torch.tensor([[0] * (4 - len(one)) + one for one in prompts])
    mask = torch.tensor([[0] * (4 - len(one)) + [1] * len(one) for one in prompts])
    options = {
        "num_beams": 3, "force_words_ids": [[8], [[2, 3], [10]]], "max_new_tokens": 12, "eos_token_id": [1, 6],
        "pad_token_id": 0, "early_stopping": True, "return_dict_in_generate": True, "output_scores": scores,
    }  # fmt: skip
    together = ours.generate(ids, attention_mask=mask, **options)
    for row, prompt in enumerate(prompts):
        alone = ours.generate(torch.tensor([prompt]), **options)
        width = alone.sequences.shape[1] - len(prompt)
        assert torch.equal(together.sequences[row, 4 : 4 + width], alone.sequences[0, len(prompt) :])
        torch.testing.assert_close(together.sequences_scores[row], alone.sequences_scores[0])


def test_a_forced_end_takes_the_last_place(pair):
    said = pair(0)[0].generate(
        PROMPT, force_words_ids=[[7, 8]], num_beams=2, max_new_tokens=3, eos_token_id=1, forced_eos_token_id=1,
        pad_token_id=0,
    )  # fmt: skip
    assert said[0, 3:].tolist() == [7, 8, 1]


def test_a_criterion_does_not_end_a_text_too_early(pair):
    """It would end every text after one token; the second token is demanded too."""
    with pytest.raises(GenerationError, match="fewer than num_return_sequences=1 texts contain all"):
        pair(0)[0].generate(PROMPT, force_words_ids=[[7, 8]], stopping_criteria=lambda ids, _: ids[:, -1] > -1, **PLAIN)


def test_a_phrase_with_an_end_token_is_left_out_where_another_can_come(pair):
    said = pair(0)[0].generate(PROMPT, force_words_ids=[[[1], [9]]], eos_token_id=1, **PLAIN)
    assert 9 in said[0, 3:].tolist()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"force_words_ids": [[1, 2, 3, 4], [5, 6, 7]]}, "need 7 tokens, and there is room for 6"),
        ({"force_words_ids": [[5, 6, 7, 8, 9, 2]], "forced_eos_token_id": 1}, "need 6 tokens, and there is room for 5"),
        ({"force_words_ids": [[12]]}, r"name the tokens \[12\], and the vocabulary has 12"),
        ({"force_words_ids": [[-1]]}, "force_words_ids"),
        ({"force_words_ids": [[]]}, "force_words_ids"),
        ({"force_words_ids": [5]}, "force_words_ids"),
        ({"force_words_ids": [[[]]]}, "force_words_ids"),
        ({"force_words_ids": "words"}, "force_words_ids"),
        ({"force_words_ids": []}, "force_words_ids and constraints are both empty"),
        ({"constraints": ["words"]}, "constraints"),
        ({"force_words_ids": [[5, 1]], "eos_token_id": 1}, r"demand \[\[5, 1\]\], and text ends at the tokens \[1\]"),
        ({"force_words_ids": [[5]], "do_sample": True}, "do_sample=True"),
        ({"force_words_ids": [[5]], "num_return_sequences": 5}, "num_return_sequences=5 is more than num_beams=4"),
        ({"force_words_ids": [[5]], "suppress_tokens": [5]}, "fewer than num_return_sequences=1 texts contain all"),
        ({"force_words_ids": [[5]], "suppress_tokens": list(range(12))}, "every token is ruled out in rows"),
        (
            {"force_words_ids": [[5, 6, 7, 8, 9, 2]], "num_return_sequences": 2},
            r"fewer than num_return_sequences=2 texts .*\(prompt 0: 1\)",
        ),
        ({"force_words_ids": [[5, 6]], "max_time": 1e-9}, "max_time is over"),
    ],
)
def test_refusals_leave_the_model_usable(pair, options, says):
    ours, _ = pair(0)
    with pytest.raises(GenerationError, match=says):
        ours.generate(PROMPT, strategy="constrained-beam-search", **{**PLAIN, **options})
    assert ours.generate(PROMPT, force_words_ids=[[5]], **PLAIN).shape == (1, 9)


@pytest.mark.parametrize("ids", [[], [-1], ["a"]])
def test_impossible_phrases(ids):
    with pytest.raises(GenerationError, match="a phrase is a list of one or more token ids"):
        PhrasalConstraint(ids)
    with pytest.raises(GenerationError):
        DisjunctiveConstraint([ids] if ids else [])
