"""A run that fails in the middle: words for want of memory, and everything as it was before."""

import gc
import weakref

import pytest
import torch

from modelry.errors import GenerationError, OutOfMemory
from modelry.generation import generate

PROMPTS = torch.tensor([[3, 5, 7], [2, 8, 4]])

pytestmark = pytest.mark.usefixtures("plain_strategy")


def failing(toy, monkeypatch, error, *, after):
    """The toy's forward raises the error in pass number `after`, between its layers and its projection."""
    forward, passes = toy.head.forward, []

    def head(hidden):
        passes.append(1)
        if len(passes) > after:
            raise error
        return forward(hidden)

    monkeypatch.setattr(toy.head, "forward", head)


def plain(toy, ids=PROMPTS, **options):
    return generate(toy, ids, strategy="toy-strategy", max_new_tokens=6, **options)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
        RuntimeError("could not create a primitive"),
        MemoryError(),
    ],
)
def test_memory_runs_out_in_the_middle(toy, monkeypatch, error):
    expected = plain(toy)
    with monkeypatch.context() as patched:
        failing(toy, patched, error, after=3)
        with pytest.raises(OutOfMemory, match=r"after 3 of 6 new tokens of 2 rows \(2 prompts of 3 tokens\)") as caught:
            plain(toy)
    assert isinstance(caught.value, MemoryError)
    assert plain(toy).tolist() == expected.tolist()


def test_what_the_run_held_is_free_while_the_error_is_handled(toy, monkeypatch):
    made = []
    make = toy.make_cache
    monkeypatch.setattr(
        toy, "make_cache", lambda **options: made.append(weakref.ref(cache := make(**options))) or cache
    )
    failing(toy, monkeypatch, torch.OutOfMemoryError("CUDA out of memory."), after=3)
    with pytest.raises(OutOfMemory) as caught:
        plain(toy)
    gc.collect()
    assert caught.value.__cause__ is not None
    assert [one() for one in made] == [None]


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), RuntimeError("CUDA error: device-side assert"), ValueError("no")]
)
def test_any_other_failure_comes_through_and_the_model_goes_on(toy, monkeypatch, error):
    expected = plain(toy)
    with monkeypatch.context() as patched:
        failing(toy, patched, error, after=2)
        with pytest.raises(type(error)) as caught:
            plain(toy)
    assert caught.value is error
    assert plain(toy).tolist() == expected.tolist()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), torch.OutOfMemoryError("CUDA out of memory.")])
def test_a_cache_of_the_callers_forgets_what_failed(toy, monkeypatch, error):
    first = plain(toy, return_dict_in_generate=True)
    cache, turn = first.past_key_values, torch.cat((first.sequences, PROMPTS), dim=1)
    held = cache.seen
    with monkeypatch.context() as patched:
        failing(toy, patched, error, after=2)
        with pytest.raises((KeyboardInterrupt, OutOfMemory)):
            plain(toy, turn, past_key_values=cache)
    assert cache.seen == held
    assert plain(toy, turn, past_key_values=cache).tolist() == plain(toy, turn).tolist()


def test_a_cache_whose_rows_were_repeated_has_one_of_each_prompt_again(toy, monkeypatch):
    first = plain(toy, return_dict_in_generate=True)
    cache, turn = first.past_key_values, torch.cat((first.sequences, PROMPTS), dim=1)
    with monkeypatch.context() as patched:
        failing(toy, patched, KeyboardInterrupt(), after=2)
        with pytest.raises(KeyboardInterrupt):
            plain(toy, turn, past_key_values=cache, do_sample=True, num_return_sequences=2)
    assert plain(toy, turn, past_key_values=cache).tolist() == plain(toy, turn).tolist()


def test_a_cache_that_cannot_be_mended_is_named(toy, monkeypatch):
    first = plain(toy, return_dict_in_generate=True)
    cache, turn = first.past_key_values, torch.cat((first.sequences, PROMPTS), dim=1)

    def slid(*_):
        raise ValueError("a window has dropped what would be needed")

    monkeypatch.setattr(type(cache), "rollback", slid)
    failing(toy, monkeypatch, KeyboardInterrupt(), after=1)
    with pytest.raises(KeyboardInterrupt) as caught:
        plain(toy, turn, past_key_values=cache, do_sample=True, num_return_sequences=2)
    assert "start with a new one" in caught.value.__notes__[0]


def test_wrong_arguments_leave_a_cache_alone(toy):
    first = plain(toy, return_dict_in_generate=True)
    held = first.past_key_values.seen
    with pytest.raises(GenerationError):
        plain(toy, first.sequences, past_key_values=first.past_key_values, temperature=-1.0)
    assert first.past_key_values.seen == held
