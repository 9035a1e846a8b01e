"""generate() refuses bad input in words and before work; numbers that are none name their rows."""

import math

import pytest
import torch

from modelry.errors import GenerationError
from modelry.generation import generate

pytestmark = pytest.mark.usefixtures("plain_strategy")

PROMPT = torch.tensor([[3, 4, 5]])
PROMPTS = torch.tensor([[0, 0, 3, 4, 5], [7, 8, 9, 10, 11]])
MASK = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]])


def run(model, *inputs, **options):
    return generate(model, *inputs, **{"strategy": "toy-strategy", **options})


BAD = [
    ({"inputs": torch.zeros(1, 0, dtype=torch.long)}, "prompt is empty"),
    ({"inputs": torch.zeros(0, 3, dtype=torch.long)}, "prompt is empty"),
    ({"inputs": []}, "prompt is empty"),
    ({}, "no bos_token_id to start from"),
    ({"inputs": [[1, 2], [3]]}, "pad the prompts to one length"),
    ({"inputs": torch.rand(1, 3)}, "whole numbers"),
    ({"inputs": "Hello"}, r"input_ids is text \('Hello'\); token ids are needed: model.generate\(\*\*tokenizer"),
    ({"inputs": ["Hello", "you"]}, r"input_ids is text"),
    ({"inputs": torch.zeros(1, 2, 3, dtype=torch.long)}, r"shape \(1, 2, 3\)"),
    ({"inputs": [[1, 2, 29]]}, r"token id 29 \(row 0, position 2\) is not in the vocabulary of 29"),
    ({"inputs": [[1, 2], [-1, 3]]}, r"token id -1 \(row 1, position 0\)"),
    ({"inputs": [[1] * 65]}, "prompt has 65 tokens, and the model was made for 64"),
    ({"inputs": PROMPT, "input_ids": PROMPT}, "given twice"),
    ({"inputs": PROMPTS, "attention_mask": torch.ones(2, 4)}, r"attention_mask has shape \(2, 4\)"),
    ({"inputs": PROMPTS, "attention_mask": [[1, 1, 1, 1, 1], [0, 0, 0, 0, 0]]}, r"empty in rows \[1\]"),
    ({"inputs": PROMPTS, "attention_mask": [[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]}, r"rows \[0\] are padded on the right"),
    ({"inputs": PROMPT, "max_new_tokens": -1}, "max_new_tokens=-1"),
    ({"inputs": PROMPT, "max_new_tokens": True}, "max_new_tokens=True: it is a number, which cannot be switched on"),
    ({"inputs": PROMPT, "guidance_scale": torch.tensor(False)}, "guidance_scale=False: it is a number"),
    ({"inputs": PROMPT, "suppress_tokens": [3, True]}, "suppress_tokens=True: it is a number"),
    ({"inputs": PROMPT, "pad_token_id": 10**30}, "pad_token_id=10{30}: "),
    ({"inputs": PROMPT, "max_new_tokens": 2, "max_length": "long"}, "max_length='long'"),
    ({"inputs": PROMPT, "cache_implementation": ""}, "cache_implementation=''"),
    ({"inputs": PROMPT, "temprature": 1}, r"'temprature' \(did you mean temperature\?\)"),
    ({"inputs": PROMPT, "pixel_values": 1}, "no keyword 'pixel_values'"),
    ({"inputs": PROMPT, "bad_words_ids": [[3], [3, 99]]}, r"bad_words_ids names \[99\], .* vocabulary has 29 tokens"),
    ({"inputs": PROMPT, "sequence_bias": {(29,): 1.0}}, r"sequence_bias names \[29\]"),
    ({"inputs": PROMPT, "sequence_bias": {(2,): float("nan")}}, r"\[2\] is given the bias nan"),
    ({"inputs": PROMPT, "sequence_bias": {(2,): math.inf}}, r"\[2\] is given the bias inf"),
    ({"inputs": PROMPT, "decoder_input_ids": PROMPT}, "decoder_input_ids: .* has no encoder"),
    ({"inputs": PROMPT, "do_sample": True, "top_k": 30}, "top_k=30 is more than the 29 tokens .* set top_k=0"),
    ({"inputs": PROMPT, "do_sample": True, "top_p": float("nan")}, "top_p=nan"),
    ({"inputs": PROMPT, "do_sample": True, "temperature": float("inf")}, "temperature=inf"),
    ({"inputs": PROMPT, "repetition_penalty": -1.0}, "repetition_penalty=-1.0"),
    ({"inputs": PROMPT, "num_return_sequences": 0}, "num_return_sequences=0"),
    ({"inputs": PROMPT, "seed": 2**64}, "seed=18446744073709551616"),
    (
        {"inputs": PROMPT, "min_length": 9, "max_new_tokens": 2},
        "min_length=9 asks for [0-9]+ new tokens, .* room for 2",
    ),
    ({"inputs": PROMPT, "min_new_tokens": 21}, "min_new_tokens=21 asks for 21 new tokens, and there is room for 20"),
    ({"inputs": PROMPT, "strategy": ["toy-strategy"]}, r"strategy=\['toy-strategy'\]: .* string"),
    ({"inputs": PROMPT, "custom_generate": "a/b"}, "custom_generate='a/b': no code comes from a repository"),
    ({"inputs": PROMPT, "max_time": 0.0}, "max_time=0.0"),
    ({"inputs": PROMPT > 3}, "input_ids is torch.bool"),
    ({"inputs_embeds": torch.zeros(1, 3, 5)}, r"inputs_embeds is torch.float32 \(1, 3, 5\): .* \(rows, positions, 8\)"),
    ({"inputs_embeds": torch.zeros(3, 8)}, r"inputs_embeds is torch.float32 \(3, 8\)"),
    ({"inputs_embeds": [[1.0]]}, "inputs_embeds is a list"),
    (
        {"inputs": PROMPT, "inputs_embeds": torch.zeros(3, PROMPT.shape[1], 8)},
        "input_ids has 1 rows, and inputs_embeds 3",
    ),
    ({"inputs": PROMPT, "eos_token_id": [3, 29]}, r"eos_token_id=\[29\] is not in the vocabulary of 29 tokens"),
    ({"inputs": PROMPT, "pad_token_id": 30}, r"pad_token_id=\[30\] is not in the vocabulary"),
    ({"inputs": PROMPT, "forced_eos_token_id": 30}, r"forced_eos_token_id names \[30\]"),
    ({"inputs": PROMPT, "cache_implementation": "no-such"}, "no-such"),
    ({"inputs": PROMPT, "past_key_values": ((1, 2),)}, "is a tuple"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[message for _, message in BAD])
def test_bad_input_is_refused_before_work_and_the_model_goes_on(toy, arguments, message):
    arguments = dict(arguments)
    with pytest.raises(ValueError, match=message):
        run(toy, arguments.pop("inputs", None), **arguments)
    assert not toy.calls
    assert run(toy, PROMPT, max_new_tokens=4).tolist() == [toy.greedy([3, 4, 5], 4)]


def test_a_cache_of_other_rows_or_of_everything(toy):
    first = run(toy, PROMPT, max_new_tokens=4, return_dict_in_generate=True)
    with pytest.raises(GenerationError, match=r"holds 1 rows, and there are 2 prompts"):
        run(toy, torch.ones(2, 9, dtype=torch.long), past_key_values=first.past_key_values)
    with pytest.raises(GenerationError, match=r"holds 6 positions and the prompt has 3"):
        run(toy, PROMPT, past_key_values=first.past_key_values)


@pytest.mark.parametrize("sampled", [False, True])
def test_nan_logits_name_their_rows(toy, sampled):
    with torch.no_grad():
        toy.tokens.weight[9] = float("nan")
    with pytest.raises(GenerationError, match=r"NaN in rows \[1\] at position 5"):
        run(toy, PROMPTS, attention_mask=MASK, do_sample=sampled, max_new_tokens=3)
    assert run(toy, PROMPT, max_new_tokens=2).shape == (1, 5)
    hidden = run(toy, PROMPTS, attention_mask=MASK, remove_invalid_values=True, max_new_tokens=3)
    assert hidden.shape == (2, 8)


@pytest.mark.parametrize("how", [{}, {"do_sample": True, "top_k": 0}, {"do_sample": True, "top_k": 5}])
@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_one_bad_row_of_the_projection(toy, value, how):
    with torch.no_grad():
        toy.head.weight[4] = value
    with pytest.raises(GenerationError, match=r"(NaN|infinite) in rows \[0\]"):
        run(toy, PROMPT, max_new_tokens=3, **how)


@pytest.mark.parametrize("sampled", [False, True])
def test_everything_ruled_out(toy, sampled):
    with pytest.raises(GenerationError, match=r"every token is ruled out in rows \[0\] at position 3"):
        run(toy, PROMPT, suppress_tokens=list(range(29)), do_sample=sampled, max_new_tokens=3)
