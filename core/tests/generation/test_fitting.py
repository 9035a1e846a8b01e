"""What cannot fit is refused before the model runs, in words that name what to lower; the model goes on."""

import pytest
import torch

from modelry.device_memory import memory_of
from modelry.errors import GenerationError
from modelry.generation import generate
from modelry.generation.fitting import refuse_what_cannot_fit

PROMPT = torch.tensor([[3, 5, 7]])
CPU = torch.device("cpu")


def test_the_least_that_rows_take() -> None:
    fits = {"prompts": 2, "length": 100, "vocabulary": 1000}
    refuse_what_cannot_fit(CPU, copies=3, **fits)
    too_many = memory_of(CPU) // (2 * (8 * 100 + 4 * 1000)) + 1
    refuse_what_cannot_fit(CPU, copies=too_many - 1, **fits)
    with pytest.raises(GenerationError, match=r"rows \(2 prompts, .*text of up to 100 tokens and the scores of 1,000"):
        refuse_what_cannot_fit(CPU, copies=too_many, **fits)
    with pytest.raises(GenerationError, match=r"tokens, take at least .* cpu has .*: lower num_beams"):
        refuse_what_cannot_fit(CPU, prompts=1, copies=10**30, length=1, vocabulary=None)


def test_devices_that_say_nothing() -> None:
    refuse_what_cannot_fit(torch.device("meta"), prompts=1, copies=10**30, length=1, vocabulary=1)


@pytest.mark.usefixtures("plain_strategy")
@pytest.mark.parametrize(
    "options",
    [
        {"num_return_sequences": 10**12, "max_new_tokens": 4},
        {"num_return_sequences": 10**40, "max_new_tokens": 4},
        {"max_new_tokens": 10**12},
        {"max_new_tokens": 10**40},
        {"max_length": 10**15},
    ],
    ids=str,
)
def test_absurd_calls(make_toy, options):
    toy = make_toy(max_position_embeddings=64)
    toy.config.max_position_embeddings = None  # nothing says where a text has to end
    expected = generate(toy, PROMPT, strategy="toy-strategy", max_new_tokens=4)
    toy.calls.clear()
    with pytest.raises(GenerationError, match=r"take at least .* GiB"):
        generate(toy, PROMPT, strategy="toy-strategy", do_sample=True, **options)
    assert not toy.calls
    assert generate(toy, PROMPT, strategy="toy-strategy", max_new_tokens=4).tolist() == expected.tolist()
