"""A tiny random Llama, saved by transformers and loaded by us, generates the same tokens in both."""

import pytest
import tokenizers
import torch
import transformers

from modelry import AutoModelForCausalLM
from modelry.errors import ModelryWarning

END, PAD = 3, 0
PROMPTS = torch.tensor([[PAD, PAD, PAD, 11, 12], [21, 22, 23, 24, 25], [PAD, 7, 8, 7, 8]])
MASK = (PROMPTS != PAD).long()

GREEDY = {
    "plain": {},
    "padding found by itself": {"attention_mask": None},
    "end tokens": {"eos_token_id": [END, 40, 41, 42, 43, 44, 45, 46, 47]},
    "minimum length": {"eos_token_id": list(range(30, 64)), "min_length": 9},
    "minimum new tokens": {"eos_token_id": list(range(30, 64)), "min_new_tokens": 5},
    "maximum length": {"max_length": 12, "max_new_tokens": None},
    "repetition penalty": {"repetition_penalty": 1.6},
    "no repeated n-grams": {"no_repeat_ngram_size": 2},
    "the prompt's tokens": {"encoder_repetition_penalty": 1.6},
    "the prompt's n-grams": {"encoder_no_repeat_ngram_size": 1},
    "bad words": {"bad_words_ids": [[i] for i in range(5, 20)] + [[30, 31]]},
    "sequence bias": {"sequence_bias": {(i,): 0.4 for i in range(5, 20)}},
    "suppressed tokens": {"suppress_tokens": list(range(40, 60)), "begin_suppress_tokens": list(range(20, 40))},
    "forced end": {"forced_eos_token_id": END},
    "growing pull to the end": {"exponential_decay_length_penalty": (2, 1.8), "eos_token_id": list(range(50, 64))},
    "prefix function": {"prefix_allowed_tokens_fn": lambda prompt, ids: [5 + prompt, 9, int(ids[-1]) % 60 + 1]},
    "everything at once": {
        "repetition_penalty": 1.3,
        "no_repeat_ngram_size": 3,
        "min_new_tokens": 4,
        "eos_token_id": list(range(40, 64)),
        "suppress_tokens": [33, 34],
        "renormalize_logits": True,
    },
    "no cache": {"use_cache": False},
}
SAMPLED = {
    "temperature": {"temperature": 0.6, "top_k": 0},
    "top-k": {"top_k": 5},
    "top-p": {"top_p": 0.7, "top_k": 0},
    "min-p": {"min_p": 0.5},
    "typical": {"typical_p": 0.6},
    "epsilon": {"epsilon_cutoff": 0.016, "top_k": 0},
    "eta": {"eta_cutoff": 0.016, "top_k": 0},
    "top-h": {"top_h": 0.5},
    "many": {"temperature": 1.4, "top_k": 20, "top_p": 0.9, "min_p": 0.02, "repetition_penalty": 1.2},
}


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """(ours, the other), float32; weights wide enough that no two logits are close."""
    config = transformers.LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, initializer_range=0.4, bos_token_id=1, eos_token_id=END,
        pad_token_id=PAD,
    )  # fmt: skip
    torch.manual_seed(0)
    other = transformers.LlamaForCausalLM(config).eval()
    folder = tmp_path_factory.mktemp("llama")
    other.save_pretrained(folder)
    return AutoModelForCausalLM.from_pretrained(folder), other


def options_of(case):
    options = {"attention_mask": MASK, "max_new_tokens": 12, "eos_token_id": END, "pad_token_id": PAD, **case}
    return {name: value for name, value in options.items() if value is not None}


def other_generates(other, ids, **options):
    options = dict(options)
    if "sequence_bias" in options:
        options["sequence_bias"] = [[list(words), bias] for words, bias in options["sequence_bias"].items()]
    return other.generate(ids, do_sample=options.pop("do_sample", False), **options)


@pytest.mark.parametrize("case", GREEDY)
def test_greedy_tokens_are_identical(both, case):
    ours, other = both
    options = options_of(GREEDY[case])
    assert ours.generate(PROMPTS, **options).tolist() == other_generates(other, PROMPTS, **options).tolist()


@pytest.mark.parametrize("case", [*GREEDY, *SAMPLED])
def test_scores_are_equal(both, case):
    """Sampled: of the first token, the one that no draw came before."""
    ours, other = both
    case, sampled = ({**GREEDY, **SAMPLED}[case], case in SAMPLED)
    options = options_of({**case, "return_dict_in_generate": True, "output_scores": True, "output_logits": True})
    if sampled:
        options |= {"do_sample": True, "max_new_tokens": 1}
    torch.manual_seed(0)
    mine, theirs = ours.generate(PROMPTS, **options), other_generates(other, PROMPTS, **options)
    for name in ("scores", "logits"):
        assert len(mine[name]) == len(theirs[name])
        for one, expected in zip(mine[name], theirs[name], strict=True):
            live = slice(None) if sampled else mine.sequences[:, PROMPTS.shape[1]] != PAD
            torch.testing.assert_close(one[live], expected[live], rtol=1e-4, atol=1e-4)


def test_several_sequences_lie_as_in_the_other(both):
    options = options_of({"do_sample": True, "num_return_sequences": 3, "eos_token_id": 63, "max_new_tokens": 4})
    mine, theirs = (model.generate(PROMPTS, **options) for model in both)
    assert mine.shape == theirs.shape == (9, 9)
    assert torch.equal(mine[:, :5], theirs[:, :5])


def test_one_candidate_leaves_no_choice(both):
    ours, other = both
    options = options_of({"do_sample": True, "top_k": 1, "num_return_sequences": 2})
    assert torch.equal(ours.generate(PROMPTS, **options), other.generate(PROMPTS, **options))


def test_guidance(both):
    ours, other = both
    options = options_of({"guidance_scale": 1.7, "negative_prompt_ids": torch.tensor([[31, 32]] * 3)})
    assert torch.equal(ours.generate(PROMPTS, **options), other.generate(PROMPTS, **options))


def test_a_second_turn_from_the_cache(both):
    prompt = torch.tensor([[11, 12, 13]])
    turn = torch.tensor([[21, 22]])
    found = []
    for model in both:
        first = model.generate(prompt, max_new_tokens=5, return_dict_in_generate=True, eos_token_id=63, do_sample=False)
        ids = torch.cat((first.sequences, turn), dim=1)
        options = {"attention_mask": torch.ones_like(ids), "max_new_tokens": 6, "eos_token_id": 63, "do_sample": False}
        second = model.generate(ids, past_key_values=first.past_key_values, **options)
        fresh = model.generate(ids, **options)
        assert torch.equal(second, fresh)
        found.append(second)
    assert torch.equal(*found)


@pytest.mark.parametrize(
    "options", [{"max_new_tokens": 5}, {"max_length": 9}, {}, {"max_new_tokens": 5, "max_length": 9}]
)
def test_lengths(both, options):
    ours, other = both
    prompt = torch.tensor([[11, 12, 13]])
    options = {**options, "eos_token_id": 63}
    if len(options) == 3:
        with pytest.warns(ModelryWarning, match="max_new_tokens counts"):
            mine = ours.generate(prompt, **options)
    else:
        mine = ours.generate(prompt, **options)
    said = options.keys() > {"eos_token_id"}
    theirs = other.generate(prompt, **options, **({} if said else {"max_new_tokens": 20}))  # it warns of its default
    assert torch.equal(mine, theirs)


def letters():
    """A byte-level tokenizer of 64 tokens, two letters each; both sides decode with it."""
    texts = [chr(97 + token // 8) + chr(97 + token % 8) for token in range(64)]
    made = tokenizers.Tokenizer(tokenizers.models.BPE({text: number for number, text in enumerate(texts)}, []))
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made)


@pytest.mark.parametrize("straddles", [False, True])
def test_stop_strings(both, straddles):
    ours, other = both
    tokenizer = letters()
    options = options_of({"eos_token_id": 63})
    plain = ours.generate(PROMPTS, **options)
    text = tokenizer.decode(plain[1, 5:])
    stop = text[5:8] if straddles else text[6:8]
    options |= {"stop_strings": [stop, "zzz"]}
    mine = ours.generate(PROMPTS, tokenizer=tokenizer, **options)
    theirs = other.generate(PROMPTS, tokenizer=tokenizer, **options)
    assert torch.equal(mine, theirs)
    assert not torch.equal(mine, plain[:, : mine.shape[1]])


@pytest.mark.parametrize("cache", ["dynamic", "static"])
def test_attentions_and_hidden_states_of_each_pass_are_equal(both, cache):
    """As wide as the text: what a cache keeps free behind it is not in them."""
    ours, other = both
    options = options_of({"return_dict_in_generate": True, "output_attentions": True, "output_hidden_states": True})
    for model in both:
        model.set_attn_implementation("eager")
    try:
        mine = ours.generate(PROMPTS[1:2], **{**options, "attention_mask": None, "max_new_tokens": 4}, cache=cache)
        theirs = other_generates(other, PROMPTS[1:2], **{**options, "attention_mask": None, "max_new_tokens": 4})
    finally:
        for model in both:
            model.set_attn_implementation("sdpa")
    for name in ("attentions", "hidden_states"):
        torch.testing.assert_close(getattr(mine, name), getattr(theirs, name), rtol=1e-4, atol=1e-4)
