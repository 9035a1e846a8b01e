"""Prompts read without their padding give the same text, in the same order, from every kind of cache."""

import pytest
import torch

from modelry import AutoConfig, AutoModelForCausalLM
from modelry.generation import packing
from modelry.generation.packing import lengths_of, packs
from modelry.generation.prompt import Prompt

LENGTHS = (9, 2, 14, 9, 1, 30)
WIDTH = max(LENGTHS)


@pytest.fixture(scope="module")
def llama():
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        "llama", vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=128, initializer_range=0.4, bos_token_id=1, eos_token_id=None,
        pad_token_id=0,
    )  # fmt: skip
    return AutoModelForCausalLM.from_config(config).eval()


@pytest.fixture
def batch():
    dice = torch.Generator().manual_seed(1)
    ids, mask = torch.zeros(len(LENGTHS), WIDTH, dtype=torch.long), torch.zeros(len(LENGTHS), WIDTH, dtype=torch.long)
    for row, length in enumerate(LENGTHS):
        ids[row, WIDTH - length :] = torch.randint(1, 64, (length,), generator=dice)
        mask[row, WIDTH - length :] = 1
    return {"input_ids": ids, "attention_mask": mask, "max_new_tokens": 8}


@pytest.fixture
def reads(llama):
    """(rows, positions) of every forward pass."""
    seen = []
    hook = llama.register_forward_pre_hook(
        lambda _, args, named: seen.append(tuple(named["input_ids"].shape)), with_kwargs=True
    )
    yield seen
    hook.remove()


def alone(llama, batch):
    """Each prompt by itself: the independent answer."""
    rows = []
    for row, length in enumerate(LENGTHS):
        new = llama.generate(batch["input_ids"][row : row + 1, WIDTH - length :], max_new_tokens=8)[:, length:]
        rows.append(torch.cat((batch["input_ids"][row : row + 1], new), dim=1))
    return torch.cat(rows)


def test_no_padding_is_read(llama, batch, reads):
    llama.generate(**batch, num_return_sequences=1)
    prompts = [shape for shape in reads if shape[1] > 1]
    assert sum(rows * positions for rows, positions in prompts) == sum(LENGTHS)


@pytest.mark.parametrize("size", [512, 16, 1])
@pytest.mark.parametrize("chunk", [None, 7])
def test_each_row_is_as_if_alone(llama, batch, size, chunk, monkeypatch):
    monkeypatch.setattr(packing, "PACK", size)
    assert torch.equal(llama.generate(**batch, prefill_chunk_size=chunk), alone(llama, batch))


@pytest.mark.parametrize("kind", ["dynamic", "full", "static", "offloaded"])
def test_every_cache(llama, batch, kind):
    assert torch.equal(llama.generate(**batch, cache_implementation=kind), alone(llama, batch))


def test_the_other_attention(llama, batch):
    expected = alone(llama, batch)
    llama.set_attn_implementation("eager")
    try:
        assert torch.equal(llama.generate(**batch), expected)
    finally:
        llama.set_attn_implementation("sdpa")


def test_sequences_of_one_prompt_lie_together(llama, batch):
    found = llama.generate(**batch, num_return_sequences=2, do_sample=True, top_k=1)
    assert torch.equal(found, alone(llama, batch).repeat_interleave(2, dim=0))


def test_beams_are_kept_and_reordered(llama, batch):
    found = llama.generate(**batch, num_beams=3)
    for row, length in enumerate(LENGTHS):
        one = llama.generate(batch["input_ids"][row : row + 1, WIDTH - length :], num_beams=3, max_new_tokens=8)
        assert torch.equal(found[row, WIDTH:], one[0, length:])


def test_rows_that_advance_by_themselves(llama, batch):
    """Drafts: rows forget different numbers of positions, and do so in their own order."""
    assert torch.equal(llama.generate(**batch, prompt_lookup_num_tokens=3), alone(llama, batch))


@pytest.mark.parametrize("lent", [True, False])
def test_a_cache_that_is_seen_afterwards_has_the_rows_in_order(llama, batch, lent):
    given = {"past_key_values": llama.make_cache()} if lent else {"return_dict_in_generate": True}
    found = llama.generate(**batch, **given)
    cache = given["past_key_values"] if lent else found.past_key_values
    text = found if lent else found.sequences
    assert torch.equal(text, alone(llama, batch))
    mask = torch.cat((batch["attention_mask"], torch.ones(len(LENGTHS), 8, dtype=torch.long)), dim=1)
    with torch.no_grad():
        plain = llama.make_cache()
        llama(text[:, :-1], attention_mask=mask[:, :-1], past_key_values=plain)
    for row, length in enumerate(LENGTHS):
        for mine, other in zip(cache.layers, plain.layers, strict=True):
            place = slice(WIDTH - length, WIDTH + 7)
            torch.testing.assert_close(mine.keys[row, :, place], other.keys[row, :, place], rtol=1e-4, atol=1e-4)


def test_what_is_collected_is_in_order(llama, batch):
    options = {**batch, "return_dict_in_generate": True, "output_logits": True}
    packed = llama.generate(**options)
    plain = llama.generate(**options, output_hidden_states=True)  # which reads the rectangle
    for one, expected in zip(packed.logits, plain.logits, strict=True):
        torch.testing.assert_close(one, expected, rtol=1e-4, atol=1e-4)


def test_packs():
    assert packs([9, 2, 14, 9, 1, 30], size=16) == [[4, 1, 0], [3], [2], [5]]
    assert packs([4, 4, 4], size=8) == [[0, 1], [2]]


def test_padding_elsewhere_than_before_a_prompt_is_left_alone():
    ids = torch.ones(2, 4, dtype=torch.long)
    assert lengths_of(Prompt(ids, torch.tensor([[0, 1, 1, 1], [1, 1, 1, 1]]))) == [3, 4]
    assert lengths_of(Prompt(ids, torch.tensor([[0, 1, 0, 1], [1, 1, 1, 1]]))) is None
    assert lengths_of(Prompt(ids, None)) == [4, 4]
