"""What a failure in the middle of generation leaves behind: nothing. The model is usable, its memory free again."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from modelry.errors import OutOfMemory
from modelry.generation.session import Session

_SAYS_SO = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")
"""How torch says it: of CUDA and MPS, of a CPU on Linux, of a CPU on Windows, of cuBLAS. Lower case."""
_SAYS_ONLY = ("could not create a primitive", "could not execute a primitive")
"""All that oneDNN, torch's library for CPUs, says where it finds no room for a product or for the code of one."""


@contextmanager
def nothing_half_kept(session: Session, cache: Any) -> Iterator[None]:
    """Let a cache that the caller brought forget what a failed run read, and say in words that memory ran out.

    Args:
        cache: None where the caller brought none.

    Raises:
        OutOfMemory: instead of what torch raises.
    """
    held = 0 if cache is None else cache.seen
    prompts = session.rows
    try:
        yield
    except BaseException as error:
        if cache is not None and cache.seen > held and not _forgotten(session, cache, held, prompts):
            error.add_note(f"past_key_values held {held} positions before and now {cache.seen}: start with a new one")
        if is_out_of_memory(error):
            raise OutOfMemory(_in_words(session, prompts, error)) from error
        raise


def release(error: BaseException) -> None:
    """Let go what the frames of an error about memory hold, so that a smaller try has room while it is handled.

    Those of its cause go altogether: a cleared frame still holds what its function closes over.
    """
    if isinstance(error, OutOfMemory):
        traceback.clear_frames(error.__traceback__)
        if error.__cause__ is not None:
            error.__cause__.__traceback__ = None


def _forgotten(session: Session, cache: Any, held: int, prompts: int) -> bool:
    """Roll the cache back, and let it hold a row of each prompt: those of one prompt agree in what was held before."""
    numbers = session.prompts.tolist()
    if set(numbers) != set(range(prompts)) or any(layer.rows != len(numbers) for layer in getattr(cache, "layers", ())):
        return False  # prompts have left, or the failure came while rows were moved
    try:
        cache.rollback(cache.seen - held)
        if numbers != list(range(prompts)):
            cache.keep(torch.tensor([numbers.index(prompt) for prompt in range(prompts)]))
    except (ValueError, RuntimeError):  # a sliding window has dropped what would be needed; no room to move rows
        return False
    return True


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error is torch's or Python's way to say that memory ran out; ours is not, it has been handled."""
    if isinstance(error, MemoryError):
        return not isinstance(error, OutOfMemory)
    said = str(error)
    return isinstance(error, RuntimeError) and (said in _SAYS_ONLY or any(one in said.lower() for one in _SAYS_SO))


def _in_words(session: Session, prompts: int, error: BaseException) -> str:
    new = session.ids.shape[1] - session.prompt_length
    return (
        f"memory ran out after {new} of {session.settings.ends.max_length - session.prompt_length} new tokens of "
        f"{session.rows} rows ({prompts} prompts of {session.prompt_length} tokens): give fewer prompts at once, fewer "
        f"beams or sequences, or a smaller max_new_tokens ({' '.join(str(error).split())[:200]})"
    )
