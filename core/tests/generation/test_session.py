"""The session gives a strategy what whole forward passes over each text would give, whatever is kept or forgotten."""

from types import SimpleNamespace

import pytest
import torch

from modelry.errors import GenerationError
from modelry.generation import generate

PROMPTS = torch.tensor([[0, 0, 3, 4, 5], [7, 8, 9, 10, 11]])
MASK = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]])


def run(toy, strategy, decode, ids=PROMPTS, **options):
    with strategy(decode):
        return generate(toy, ids, strategy="toy-strategy", **options)


def expected_logits(toy, text):
    """(1, T, V) of a whole text without cache or padding."""
    return toy(torch.tensor([text]), position_ids=torch.arange(len(text))[None]).logits


def check_logits(toy, logits, texts):
    for row, text in enumerate(texts):
        new = logits.shape[1]
        torch.testing.assert_close(logits[row], expected_logits(toy, text)[0, -new:], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("use_cache", [True, False])
@pytest.mark.parametrize("chunk", [None, 2])
def test_steps_equal_whole_passes(toy, strategy, use_cache, chunk):
    texts = [[3, 4, 5], [7, 8, 9, 10, 11]]

    def decode(session, parameters):
        check_logits(toy, session.start(), texts)
        for ids in ([[1, 2], [3, 4]], [[5], [6]]):
            for text, new in zip(texts, ids, strict=True):
                text += new
            check_logits(toy, session.step(torch.tensor(ids)), texts)
        session.finish(session.ids)

    run(toy, strategy, decode, attention_mask=MASK, use_cache=use_cache, prefill_chunk_size=chunk)


@pytest.mark.parametrize("use_cache", [True, False])
@pytest.mark.parametrize("mask", [MASK, None])
def test_rows_are_repeated_reordered_and_dropped(toy, strategy, use_cache, mask):
    texts = [[3, 4, 5] if mask is not None else [0, 0, 3, 4, 5], [7, 8, 9, 10, 11]]

    def decode(session, parameters):
        logits = session.start(copies=2)
        assert session.rows == 4
        assert session.prompts.tolist() == [0, 0, 1, 1]
        check_logits(toy, logits, [texts[0], texts[0], texts[1], texts[1]])
        session.append(torch.tensor([1, 2, 3, 4]))
        session.step(torch.tensor([[1], [2], [3], [4]]))
        session.keep(torch.tensor([3, 0, 3]))
        assert session.prompts.tolist() == [1, 0, 1]
        assert session.last.tolist() == [4, 1, 4]
        assert session.ids[:, -1].tolist() == [4, 1, 4]
        logits = session.step(torch.tensor([[5], [6], [7]]))
        check_logits(toy, logits, [[*texts[1], 4, 5], [*texts[0], 1, 6], [*texts[1], 4, 7]])
        session.finish(session.ids)

    found = run(toy, strategy, decode, attention_mask=mask, use_cache=use_cache)
    assert found[:, :5].tolist() == PROMPTS[[1, 0, 1]].tolist()


@pytest.mark.parametrize("use_cache", [True, False])
@pytest.mark.parametrize("mask", [MASK, None])
def test_the_model_forgets(toy, strategy, use_cache, mask):
    texts = [[3, 4, 5] if mask is not None else [0, 0, 3, 4, 5], [7, 8, 9, 10, 11]]

    def decode(session, parameters):
        session.start()
        assert session.can_rollback
        session.step(torch.tensor([[1, 2, 3], [4, 5, 6]]))
        session.rollback(2)
        check_logits(toy, session.step(torch.tensor([[9], [9]])), [[*texts[0], 1, 9], [*texts[1], 4, 9]])
        session.finish(session.ids)

    run(toy, strategy, decode, attention_mask=mask, use_cache=use_cache)


@pytest.mark.parametrize("use_cache", [True, False])
@pytest.mark.parametrize("mask", [MASK, None])
def test_rows_forget_different_numbers_of_positions(toy, strategy, use_cache, mask):
    """As when each row of a batch accepts another number of drafted tokens, round after round."""
    texts = [[3, 4, 5] if mask is not None else [0, 0, 3, 4, 5], [7, 8, 9, 10, 11]]

    def decode(session, parameters):
        session.start()
        for accepted in ([3, 1], [0, 2], [1, 1], [3, 0]):
            drafts = torch.randint(0, 29, (2, 3), generator=torch.Generator().manual_seed(sum(accepted)))
            session.step(drafts)
            session.rollback(3 - torch.tensor(accepted))
            for row, count in enumerate(accepted):
                texts[row] += drafts[row, :count].tolist()
            session.step(torch.tensor([[1], [2]]))
            for row, text in enumerate(texts):
                text.append(row + 1)
            check_logits(toy, session.step(torch.tensor([[5], [6]])), [[*texts[0], 5], [*texts[1], 6]])
            session.rollback(1)
        session.keep(torch.tensor([1, 0]))
        check_logits(toy, session.step(torch.tensor([[5], [6]])), [[*texts[1], 5], [*texts[0], 6]])
        session.finish(session.ids)

    run(toy, strategy, decode, attention_mask=mask, use_cache=use_cache)


def test_rows_advance_by_different_numbers_of_tokens(make_toy, strategy):
    toy = make_toy(eos_token_id=28, pad_token_id=27)

    def decode(session, parameters):
        session.start()
        assert session.emit_spans([[1, 2, 3], [4]]).tolist() == [False, False]
        assert session.last.tolist() == [3, 4]
        assert session.row_ids(1).tolist() == [[7, 8, 9, 10, 11, 4]]
        assert session.emit_spans([[28, 9], []]).tolist() == [True, False]
        assert session.emit_spans([[9], [1, 1, 1, 1, 1]]).tolist() == [True, True]
        assert session.done

    found = run(toy, strategy, decode, max_new_tokens=5)
    assert found[:, 5:].tolist() == [[1, 2, 3, 28, 27], [4, 1, 1, 1, 1]]


def test_hidden_states_of_the_last_pass(toy, strategy):
    def decode(session, parameters):
        logits = session.start(hidden_states=True)
        assert session.hidden_states().shape == (2, 5, 8)
        torch.testing.assert_close(toy.head(session.hidden_states()[:, -1:]), logits)
        session.step(torch.tensor([[1], [2]]))
        assert session.hidden_states(0).shape == (2, 1, 8)
        session.finish(session.ids)

    run(toy, strategy, decode)


def test_hidden_states_must_be_asked_for(toy, strategy):
    def decode(session, parameters):
        session.start()
        session.hidden_states()

    with pytest.raises(GenerationError, match=r"start\(hidden_states=True\)"):
        run(toy, strategy, decode)


def test_a_model_without_hidden_states_is_named(toy, strategy, monkeypatch):
    forward = type(toy).forward
    monkeypatch.setattr(type(toy), "forward", lambda self, output_hidden_states=None, **inputs: forward(self, **inputs))

    def decode(session, parameters):
        session.start(hidden_states=True)
        session.hidden_states()

    with pytest.raises(GenerationError, match="ToyLM gives no hidden states"):
        run(toy, strategy, decode)


def test_hidden_states_beside_an_encoder_are_the_decoder_s(toy, strategy, monkeypatch):
    forward = type(toy).forward

    def with_encoder(self, **inputs):
        output = forward(self, **inputs)
        return SimpleNamespace(logits=output.logits, decoder_hidden_states=output.hidden_states)

    monkeypatch.setattr(type(toy), "forward", with_encoder)

    def decode(session, parameters):
        session.start(hidden_states=True)
        assert session.hidden_states().shape == (2, 5, 8)
        session.finish(session.ids)

    run(toy, strategy, decode)


@pytest.mark.parametrize("mask", [MASK, None])
def test_a_strategy_sees_the_padding_of_each_row(toy, strategy, mask):
    def decode(session, parameters):
        session.start(copies=2)
        session.keep(torch.tensor([3, 0, 1]))
        found = session.prompt_mask
        assert found is None if mask is None else torch.equal(found, MASK[[1, 0, 0]])
        session.finish(session.ids)

    run(toy, strategy, decode, attention_mask=mask)


def test_a_strategy_sees_what_is_not_read_again(toy, strategy):
    read = []

    def decode(session, parameters):
        session.start(hidden_states=True)
        read.append((session.cached, session.hidden_states().shape[1]))
        session.emit(torch.tensor([1, 2]))
        session.finish(session.ids)

    first = run(toy, strategy, decode, return_dict_in_generate=True)
    run(toy, strategy, decode, ids=first.sequences, past_key_values=first.past_key_values)
    assert read == [(0, 5), (5, 1)]


def test_a_strategy_that_chooses_among_texts_gives_its_result(make_toy, strategy):
    toy = make_toy(eos_token_id=28)

    def decode(session, parameters):
        session.start(copies=3)
        texts = torch.tensor([[1, 2], [1, 28]])
        assert session.stops(texts).tolist() == [False, True]
        session.statistics["accepted"] = 0.5
        session.finish(texts, sequences_scores=torch.tensor([1.0, 2.0]))
        assert session.done

    found = run(toy, strategy, decode, return_dict_in_generate=True)
    assert found.sequences.tolist() == [[1, 2], [1, 28]]
    assert found.sequences_scores.tolist() == [1.0, 2.0]
    assert found.statistics == {"accepted": 0.5}


def test_scores_of_drafts(toy, strategy):
    def decode(session, parameters):
        logits = session.start()[:, -1]
        ids = torch.tensor([[1], [2]])
        scores = session.scores(logits, ids)
        for row, token in enumerate([1, 2]):
            assert scores[row, token] != logits[row, token]
            changed = (scores[row] != logits[row]).nonzero().flatten().tolist()
            assert changed == [token]
        session.finish(session.ids)

    run(toy, strategy, decode, repetition_penalty=2.0)


@pytest.mark.parametrize("mask", [MASK, None])
def test_another_model_drafts_beside(toy, make_toy, strategy, mask):
    other = make_toy(seed=9)
    texts = [[3, 4, 5] if mask is not None else [0, 0, 3, 4, 5], [7, 8, 9, 10, 11]]

    def decode(session, parameters):
        session.start(copies=2)
        beside = session.companion(other)
        check_logits(other, beside.start(), [texts[0], texts[0], texts[1], texts[1]])
        other_text = session.companion(other, torch.tensor([[1, 2]]))
        check_logits(other, other_text.start(), [[1, 2]])
        with pytest.raises(GenerationError, match="not in the vocabulary of 10"):
            session.companion(make_toy(vocabulary=10))
        session.finish(session.ids)

    run(toy, strategy, decode, attention_mask=mask)
