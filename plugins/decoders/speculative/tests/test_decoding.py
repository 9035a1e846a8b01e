"""Greedy speculation says what plain greedy says, whatever drafts are worth and however far apart rows get."""

import pytest
import torch

from modelry.errors import GenerationError
from modelry.generation import BaseStreamer, LogitsProcessor, LogitsProcessorList

WAYS = ("assistant_model", "prompt_lookup_num_tokens", "assistant_early_exit")


def way(name, llama, seed):
    return {
        "assistant_model": {"assistant_model": llama(seed, 0.15), "num_assistant_tokens": 5},
        "prompt_lookup_num_tokens": {"prompt_lookup_num_tokens": 6, "max_matching_ngram_size": 3},
        "assistant_early_exit": {"assistant_early_exit": 2, "num_assistant_tokens": 4},
    }[name]


def both(model, ids, mask, drafting, **options):
    """Plain and speculative texts; they must be equal, and the statistics are returned."""
    plain = model.generate(ids, attention_mask=mask, **options)
    found = model.generate(ids, attention_mask=mask, **options, **drafting, return_dict_in_generate=True)
    assert found.sequences.tolist() == plain.tolist()
    if "eos_token_id" in options:  # a record keeps all rows
        assert model.generate(ids, attention_mask=mask, **options, **drafting).tolist() == plain.tolist()
    return found.statistics


@pytest.mark.parametrize("name", WAYS)
def test_same_as_greedy_alone_and_in_batches(llama, prompts, name):
    accepted = 0
    for seed in range(12):
        ids, mask = prompts(seed)
        model, drafting = llama(seed), way(name, llama, seed)
        accepted += both(model, ids, mask, drafting, max_new_tokens=40, pad_token_id=0)["accepted"]
        both(model, ids[:1], mask[:1], drafting, max_new_tokens=40, pad_token_id=0)
    assert accepted > 100


@pytest.mark.parametrize("name", WAYS)
def test_same_with_end_tokens_and_processors(llama, prompts, name):
    for seed in range(6):
        ids, mask = prompts(seed)
        options = {
            "max_new_tokens": 30, "pad_token_id": 0, "eos_token_id": [3, 7], "min_new_tokens": 6,
            "repetition_penalty": 1.1, "no_repeat_ngram_size": 6, "suppress_tokens": [5],
        }  # fmt: skip
        both(llama(seed), ids, mask, way(name, llama, seed), **options)
        both(llama(seed), ids[:1], mask[:1], way(name, llama, seed), **options)


@pytest.mark.parametrize("name", WAYS)
def test_finished_rows_leave(llama, prompts, name):
    ids, mask = prompts(0)
    model, drafting = llama(0), way(name, llama, 0)
    free = model.generate(ids, attention_mask=mask, max_new_tokens=30, pad_token_id=0)[:, ids.shape[1] :].tolist()
    ends = list({row[place] for place, row in enumerate(free)})
    read = []
    hook = model.get_output_embeddings().register_forward_hook(lambda _, __, out: read.append(out.shape[0]))
    try:
        both(model, ids, mask, drafting, max_new_tokens=30, pad_token_id=0, eos_token_id=ends)
    finally:
        hook.remove()
    assert read[-1] < len(ids)


@pytest.mark.parametrize("new", range(1, 9))
@pytest.mark.parametrize("name", WAYS)
def test_maximum_length_is_exact(llama, prompts, name, new):
    ids, mask = prompts(0)
    both(llama(1), ids, mask, way(name, llama, 1), max_new_tokens=new, pad_token_id=0)
    found = llama(1).generate(ids[:1], max_length=9 + new, **way(name, llama, 1))
    assert found.shape == (1, 9 + new)


@pytest.mark.parametrize("name", WAYS)
def test_up_to_the_last_position_of_the_model(llama, prompts, name):
    ids, mask = prompts(3)
    with pytest.warns(UserWarning, match="goes beyond the 128 positions"):
        both(llama(3), ids, mask, way(name, llama, 3), max_new_tokens=500, pad_token_id=0)


def test_a_perfect_draft_is_accepted_whole(llama, prompts):
    ids, mask = prompts(5)
    drafting = {"assistant_model": llama(5), "num_assistant_tokens": 4, "assistant_confidence_threshold": 0.0}
    found = both(llama(5), ids, mask, drafting, max_new_tokens=21, pad_token_id=0)
    assert found["acceptance_rate"] == 1.0
    assert found["passes"] == 4
    assert found["tokens_per_pass"] == 5.0
    assert found["drafted"] == found["accepted"] == 4 * 4 * 4


def test_a_draft_of_another_model_costs_only_time(llama, prompts):
    ids, mask = prompts(5)
    drafting = {"assistant_model": llama(77), "num_assistant_tokens": 4, "assistant_confidence_threshold": 0.0}
    found = both(llama(5), ids, mask, drafting, max_new_tokens=20, pad_token_id=0)
    assert found["acceptance_rate"] < 0.5


def test_the_heuristic_schedule_lengthens_good_drafts(llama, prompts):
    ids, mask = prompts(6)
    options = {"num_assistant_tokens": 2, "assistant_confidence_threshold": 0.0}
    passes = {}
    for schedule in ("constant", "heuristic", "heuristic_transient"):
        drafting = {"assistant_model": llama(6), "num_assistant_tokens_schedule": schedule, **options}
        passes[schedule] = both(llama(6), ids, mask, drafting, max_new_tokens=40, pad_token_id=0)["passes"]
    assert passes["constant"] == 13
    assert (
        passes["heuristic"] == passes["heuristic_transient"] == 6
    )  # 3 + 5 + 7 + 9 + 11 + 4 are 39: the first comes from the prompt


def test_the_threshold_ends_drafts(llama, prompts):
    ids, mask = prompts(7)
    drafted = []
    for threshold in (0.0, 0.5, 1.0):
        drafting = {"assistant_model": llama(7, 0.15), "assistant_confidence_threshold": threshold}
        drafted.append(both(llama(7), ids, mask, drafting, max_new_tokens=30, pad_token_id=0)["drafted"])
    assert drafted[0] > drafted[1] > drafted[2] > 0


def test_without_a_cache(llama, prompts):
    ids, mask = prompts(8)
    for name in WAYS:
        both(llama(8), ids, mask, way(name, llama, 8), max_new_tokens=12, pad_token_id=0, use_cache=False)


def test_a_conversation_goes_on_from_what_is_remembered(llama, prompts):
    ids, _ = prompts(9)
    for name in WAYS:
        drafting = way(name, llama, 9)
        first = llama(9).generate(ids[:1], max_new_tokens=15, return_dict_in_generate=True, **drafting)
        assert first.past_key_values.seen == first.sequences.shape[1] - 1
        longer = torch.cat((first.sequences, ids[1:2, 3:]), dim=1)
        found = llama(9).generate(longer, max_new_tokens=15, past_key_values=first.past_key_values, **drafting)
        assert found.tolist() == llama(9).generate(longer, max_new_tokens=15).tolist()


@pytest.mark.parametrize("lent", [False, True])
def test_a_batch_goes_on_from_what_all_rows_remember(llama, prompts, lent):
    """Rows have forgotten different columns: the cache must be column for column what the texts are."""
    ids, mask = prompts(9)
    model = llama(9)
    cache = model.make_cache() if lent else None
    options = {"past_key_values": cache} if lent else {"return_dict_in_generate": True}
    first = model.generate(ids, attention_mask=mask, max_new_tokens=15, prompt_lookup_num_tokens=3, **options)
    texts, cache = (first, cache) if lent else (first.sequences, first.past_key_values)
    longer = torch.cat((texts, ids.flip(1)[:, :3]), dim=1)
    seen = torch.nn.functional.pad(mask, (0, longer.shape[1] - ids.shape[1]), value=1)
    found = model.generate(longer, attention_mask=seen, max_new_tokens=15, past_key_values=cache)
    assert found.tolist() == model.generate(longer, attention_mask=seen, max_new_tokens=15).tolist()


def test_the_rest_of_a_conversation_alone(llama, prompts):
    """The earlier ids are given to nobody: a draft model knows less, and the text is the same."""
    ids, mask = prompts(9)
    model, first = llama(9), llama(9).make_cache()
    places = (mask.cumsum(1) - 1).clamp(min=0)[:, :4]
    for name in WAYS:
        found = []
        for drafting in ({}, way(name, llama, 9)):
            first = model.make_cache()
            with torch.no_grad():
                model(ids[:, :4], attention_mask=mask[:, :4], position_ids=places, past_key_values=first)
            given = {"attention_mask": mask, "past_key_values": first, "pad_token_id": 0}
            found.append(model.generate(ids[:, 4:], max_new_tokens=8, **given, **drafting).tolist())
        assert found[0] == found[1]


class Heard(BaseStreamer):
    def __init__(self):
        self.parts, self.ended = [], 0

    def put(self, value):
        self.parts.append(value.flatten().tolist())

    def end(self):
        self.ended += 1


@pytest.mark.parametrize("name", WAYS)
def test_streams_one_row(llama, prompts, name):
    ids, _ = prompts(2)
    heard = Heard()
    found = llama(2).generate(ids[:1], max_new_tokens=20, streamer=heard, **way(name, llama, 2))
    assert heard.parts[0] == ids[0].tolist()
    assert heard.parts[1:] == [[token] for token in found[0, 9:].tolist()]
    assert heard.ended == 1


class Strict(LogitsProcessor):
    """Allows after each token its two neighbours and some more; a text that breaks the rule is an error."""

    def __call__(self, input_ids, scores):
        steps = (input_ids[:, 10:] - input_ids[:, 9:-1]).abs()
        assert bool((steps <= 8).all()), "shown a text that it forbids"
        near = (torch.arange(24) - input_ids[:, -1:]).abs() <= 8
        return scores.masked_fill(~near, -torch.inf)


@pytest.mark.parametrize("name", WAYS)
def test_processors_see_only_texts_that_they_allow(llama, prompts, name):
    for seed in range(5):
        ids, mask = prompts(seed)
        processors = LogitsProcessorList([Strict()])
        both(
            llama(seed), ids, mask, way(name, llama, seed), max_new_tokens=30, pad_token_id=0,
            logits_processor=processors,
        )  # fmt: skip


def test_stopping_criteria_end_each_row(llama, prompts):
    def ends(ids, scores):
        return ids[:, -1] % 11 == 0

    for seed in range(6):
        ids, mask = prompts(seed)
        for name in WAYS:
            drafting = way(name, llama, seed)
            both(llama(seed), ids, mask, drafting, max_new_tokens=30, pad_token_id=0, stopping_criteria=ends)


class Letters:
    """Token n is the n-th letter."""

    def decode(self, ids, **_):
        return "".join(chr(97 + one) for one in ids)


@pytest.mark.parametrize("name", WAYS)
def test_stop_strings_end_inside_a_draft(llama, prompts, name):
    ended = 0
    for seed in range(5):
        ids, mask = prompts(seed)
        model, drafting = llama(seed), way(name, llama, seed)
        text = Letters().decode(model.generate(ids[:1], max_new_tokens=30)[0, 9:].tolist())
        options = {"stop_strings": [text[10:13], text[22:24]], "tokenizer": Letters(), "pad_token_id": 0}
        both(model, ids, mask, drafting, max_new_tokens=30, **options)
        found = model.generate(ids[:1], max_new_tokens=30, **options, **drafting)
        ended += found.shape[1] < 39
    assert ended == 5


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("shaped", [False, True])
def test_rows_that_leave_change_no_draw(llama, prompts, name, shaped):
    ids, mask = prompts(0)
    options = {"attention_mask": mask, "do_sample": True, "top_k": 0, "seed": 3, "num_return_sequences": 2}
    options |= {"max_new_tokens": 20, "eos_token_id": [5, 6, 7], "pad_token_id": 0, **way(name, llama, 0)}
    options |= {"min_new_tokens": 2} if shaped else {}
    kept = llama(0).generate(ids, **options, return_dict_in_generate=True).sequences  # a record keeps all rows
    assert llama(0).generate(ids, **options).tolist() == kept.tolist()


@pytest.mark.parametrize("name", WAYS)
def test_sampling_one_row_or_several(llama, prompts, name):
    ids, mask = prompts(1)
    options = {"do_sample": True, "top_p": 0.9, "max_new_tokens": 12, "pad_token_id": 0, "eos_token_id": 3}
    drafting = way(name, llama, 1)
    found = [
        llama(1).generate(
            ids, attention_mask=mask, seed=seed, num_return_sequences=2, **options, **drafting
        ).tolist()
        for seed in (5, 5, 6)
    ]  # fmt: skip
    assert found[0] == found[1] != found[2]
    assert [row[:9] for row in found[0]] == ids.repeat_interleave(2, dim=0).tolist()
    for row in (text[9:] for text in found[0]):
        assert 3 not in row or set(row[row.index(3) + 1 :]) <= {0}


def test_the_model_is_usable_after_a_failure(llama, prompts):
    ids, mask = prompts(4)

    class Breaks(LogitsProcessor):
        def __call__(self, input_ids, scores):
            return scores.fill_(torch.nan) if input_ids.shape[1] > 14 else scores

    with pytest.raises(GenerationError, match="NaN"):
        llama(4).generate(ids, attention_mask=mask, prompt_lookup_num_tokens=4, logits_processor=[Breaks()])
    both(llama(4), ids, mask, {"prompt_lookup_num_tokens": 4}, max_new_tokens=10, pad_token_id=0)


def test_nan_logits_are_refused_without_processors(llama, prompts):
    ids, mask = prompts(4)
    model = llama(4)
    kept = model.lm_head.weight.data.clone()
    model.lm_head.weight.data[:] = torch.nan
    try:
        with pytest.raises(GenerationError, match="NaN"):
            model.generate(ids, attention_mask=mask, prompt_lookup_num_tokens=4)
    finally:
        model.lm_head.weight.data[:] = kept
