"""What contrastive search is for, streaming, other kinds of model, and refusals."""

import pytest
import torch
from torch import nn

from modelry.errors import GenerationError
from modelry.generation import generate
from modelry_testing.decoding.lent import LentEncoderDecoder
from modelry_testing.decoding.listening import Listener

PROMPT = torch.tensor([[3, 4, 2]])
FIELDS = {"penalty_alpha": 0.6, "top_k": 4, "pad_token_id": 0}


@pytest.mark.parametrize("seed", range(4))
def test_breaks_the_loops_of_greedy_decoding(pair, seed):
    ours, _ = pair(seed, vocab_size=50, initializer_range=0.1, tie_word_embeddings=True)
    greedy = ours.generate(PROMPT, max_new_tokens=30, pad_token_id=0)[0, 3:]
    contrastive = ours.generate(PROMPT, max_new_tokens=30, **FIELDS)[0, 3:]
    assert len(greedy.unique()) <= 2
    assert len(contrastive.unique()) > 10


@pytest.mark.parametrize("unset", [{}, {"top_k": None}])
def test_a_top_k_that_nobody_set_is_4(pair, unset):
    ours, _ = pair(0)
    fields = {"penalty_alpha": 0.8, "max_new_tokens": 12, "pad_token_id": 0}
    four, found = ours.generate(PROMPT, top_k=4, **fields), ours.generate(PROMPT, **unset, **fields)
    assert torch.equal(found, four)
    assert not torch.equal(found, ours.generate(PROMPT, top_k=12, **fields))


def test_streams_token_by_token(pair):
    ours, _ = pair(0)
    listener = Listener()
    found = ours.generate(PROMPT, max_new_tokens=5, streamer=listener, **FIELDS)
    assert listener.heard == [[3, 4, 2], *([token] for token in found[0, 3:].tolist()), "end"]


def test_bfloat16(pair):
    ours, _ = pair(3)
    low = type(ours)(ours.config).eval()
    low.load_state_dict(ours.state_dict())
    found = low.to(torch.bfloat16).generate(PROMPT, max_new_tokens=6, **FIELDS)
    assert found.shape == (1, 9)


def test_a_finished_row_remembers_padding(pair):
    ours, _ = pair(1)
    ids = torch.tensor([[3, 4, 2], [5, 6, 7]])
    free = ours.generate(ids, max_new_tokens=8, **FIELDS)
    end = next(token for token in free[0, 4:].tolist() if token not in free[1, 3:])
    found = ours.generate(ids, max_new_tokens=8, eos_token_id=end, return_dict_in_generate=True, **FIELDS)
    assert found.sequences[0, -1] == 0
    keys = found.past_key_values.layers[0].keys[:, :, : found.past_key_values.seen]
    again = ours(input_ids=found.sequences, use_cache=True).past_key_values.layers[0].keys[:, :, : keys.shape[2]]
    torch.testing.assert_close(keys, again, rtol=1e-4, atol=1e-4)


def test_finished_rows_leave(pair):
    ours, _ = pair(1)
    ids = torch.tensor([[0, 3, 4, 2], [5, 6, 7, 9], [0, 0, 9, 2]])
    options = {"attention_mask": (ids != 0).long(), "max_new_tokens": 9, **FIELDS}
    free = ours.generate(ids, **options)
    options["eos_token_id"] = end = next(token for token in free[0, 5:].tolist() if token not in free[1:, 4:])
    whole = ours.generate(ids, return_dict_in_generate=True, **options).sequences  # a record keeps every row
    read = []
    hook = ours.get_output_embeddings().register_forward_hook(lambda module, given, out: read.append(out.shape[0]))
    try:
        found = ours.generate(ids, **options)
    finally:
        hook.remove()
    assert torch.equal(found, whole)
    assert found[0].tolist().count(end) == 1
    assert read[:2] == [3, 12]
    assert read[-1] == 8


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"penalty_alpha": -0.2}, "penalty_alpha=-0.2"),
        ({"penalty_alpha": 1.5}, "penalty_alpha=1.5"),
        ({"penalty_alpha": float("nan")}, "penalty_alpha=nan"),
        ({"top_k": 1}, "top_k=1"),
        ({"top_k": 0}, "top_k=0"),
        ({"top_k": -3}, "top_k=-3"),
        ({"top_k": 15}, "top_k=15 is more than the 14 tokens"),
        ({"strategy": "contrastive-search", "do_sample": True}, "do_sample=True: contrastive search draws nothing"),
        ({"strategy": "contrastive-search", "num_beams": 3}, "num_beams=3: contrastive search finds one text"),
        ({"strategy": "contrastive-search", "num_return_sequences": 2}, "num_return_sequences=2"),
    ],
)
def test_refusals_before_the_model_runs(pair, options, says):
    ours, _ = pair(0)
    runs = []
    watch = ours.register_forward_pre_hook(lambda *_: runs.append(1))
    with pytest.raises(GenerationError, match=says):
        ours.generate(PROMPT, max_new_tokens=3, **{**FIELDS, **options})
    watch.remove()
    assert not runs
    assert ours.generate(PROMPT, max_new_tokens=3, **FIELDS).shape == (1, 6)


def test_a_cache_without_hidden_states_is_refused(pair):
    ours, _ = pair(0)
    first = ours.generate(PROMPT, max_new_tokens=3, return_dict_in_generate=True, pad_token_id=0)
    with pytest.raises(GenerationError, match="past_key_values holds 5 positions, but not their hidden states"):
        ours.generate(first.sequences, past_key_values=first.past_key_values, max_new_tokens=3, **FIELDS)
    new = {"inputs": PROMPT, "attention_mask": torch.ones(1, 5 + PROMPT.shape[1])}
    with pytest.raises(GenerationError, match="past_key_values holds 5 positions, but not their hidden states"):
        ours.generate(**new, past_key_values=first.past_key_values, max_new_tokens=3, **FIELDS)


def test_scores_that_are_no_numbers(pair):
    ours, _ = pair(0)
    with pytest.raises(GenerationError, match="every token is ruled out in rows"):
        ours.generate(PROMPT, max_new_tokens=3, suppress_tokens=list(range(14)), **FIELDS)
    broken = type(ours)(ours.config).eval()
    nn.init.constant_(broken.lm_head.weight, float("nan"))
    with pytest.raises(GenerationError, match="NaN"):
        broken.generate(PROMPT, max_new_tokens=3, **FIELDS)


def test_encoder_decoder():
    model = LentEncoderDecoder.random("transformers:T5ForConditionalGeneration", eos_token_id=None)
    ids, mask = torch.tensor([[5, 9, 3, 4], [6, 2, 1, 0]]), torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    found = generate(model, ids, attention_mask=mask, use_cache=False, max_new_tokens=6, **FIELDS)
    for row in range(2):
        text = [0]
        source = {"input_ids": ids[row : row + 1, : int(mask[row].sum())]}
        while len(text) < 7:
            with torch.no_grad():
                out = model.lent(**source, decoder_input_ids=torch.tensor([text]), output_hidden_states=True)
            past, likely = out.decoder_hidden_states[-1][0], out.logits[0, -1].softmax(-1).topk(4)
            merits = []
            for share, token in zip(*likely, strict=True):
                with torch.no_grad():
                    more = model.lent(
                        **source, decoder_input_ids=torch.tensor([[*text, int(token)]]), output_hidden_states=True
                    )
                likeness = torch.cosine_similarity(more.decoder_hidden_states[-1][0, -1:], past).max()
                merits.append(float(0.4 * share - 0.6 * likeness))
            text.append(int(likely.indices[merits.index(max(merits))]))
        assert found[row].tolist() == text
