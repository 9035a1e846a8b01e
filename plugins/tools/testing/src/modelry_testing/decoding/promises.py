"""What a strategy promises whatever it decides: typed parameters, a whole answer, and one answer for one seed."""

import copy
import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import torch

from modelry.errors import ModelryError, OutOfMemory
from modelry.generation import DecoderParameters
from modelry_registry import resolve
from modelry_testing.decoding.strategy import Strategy
from modelry_testing.errors import ContractBroken
from modelry_testing.toys.oracle import PROMPTS, VOCABULARY

NEW = 6
SEEDS = range(12)


def parameters(strategy: Strategy, impossible: Iterable[Mapping[str, Any]]) -> None:
    """The references are what they should be, and impossible keywords are refused by name."""
    spec = strategy.spec
    found = resolve(spec.parameters)
    if not (isinstance(found, type) and issubclass(found, DecoderParameters)):
        raise ContractBroken(f"{spec.parameters} is not a modelry.generation.DecoderParameters")
    decode = resolve(spec.decode)
    if not callable(decode) or len(inspect.signature(decode).parameters) != 2:
        raise ContractBroken(f"{spec.decode} is not a function (session, parameters)")
    for keywords in impossible:
        try:
            strategy.continue_row(strategy.certain, max_new_tokens=2, **keywords)
        except ModelryError as error:
            if not any(key in str(error) for key in keywords):
                raise ContractBroken(f"{dict(keywords)!r} is refused without naming it: {error}") from error
        else:
            raise ContractBroken(f"{spec.name} accepts {dict(keywords)!r}: refuse what is impossible")


def decodes(strategy: Strategy) -> None:
    """One row and several: (R, P + N) ids of the vocabulary, the prompt first."""
    for rows in (1, 3):
        ids = torch.tensor([PROMPTS[0]] * rows)
        found = strategy.run(strategy.tempting, ids, max_new_tokens=NEW)
        if found.dtype is not torch.int64 or found.shape != (rows, ids.shape[1] + NEW):
            raise ContractBroken(
                f"{strategy.spec.name} returns {found.dtype} of shape {tuple(found.shape)} for {rows} prompts of "
                f"{ids.shape[1]} tokens and {NEW} new ones, and not int64 of {(rows, ids.shape[1] + NEW)}"
            )
        if not torch.equal(found[:, : ids.shape[1]], ids):
            raise ContractBroken(f"{strategy.spec.name} does not begin with the prompt")
        if not (int(found.min()) >= 0 and int(found.max()) < VOCABULARY):
            raise ContractBroken(f"{strategy.spec.name} says tokens that the vocabulary does not have")


def interrupted(strategy: Strategy) -> None:
    """A second pass of the model is interrupted, another runs out of memory; then it says what it said before."""
    model = copy.deepcopy(strategy.tempting)
    expected = strategy.continue_row(model, max_new_tokens=NEW)
    for error in (KeyboardInterrupt(), MemoryError()):
        passes: list[object] = []

        def fail(module: object, inputs: object, passes: list[object] = passes, error: BaseException = error) -> None:
            passes.append(inputs)
            if len(passes) == 2:
                raise error

        handle = model.register_forward_pre_hook(fail)
        try:
            strategy.continue_row(model, max_new_tokens=NEW)
        except (KeyboardInterrupt, OutOfMemory):
            pass
        else:
            if len(passes) > 1:
                raise ContractBroken(f"{strategy.spec.name} swallows {type(error).__name__}: let it through")
        finally:
            handle.remove()
        found = strategy.continue_row(model, max_new_tokens=NEW)
        if found != expected:
            raise ContractBroken(
                f"{strategy.spec.name} says {found} after it was stopped in the middle, and {expected} before: keep "
                "what changes in the session"
            )


def seed(strategy: Strategy, *, draws: bool) -> None:
    """One seed, one sequence; with `draws`, different ones for some of a dozen seeds."""
    model = strategy.tempting
    said = []
    for number in (1, 2, 3):
        torch.manual_seed(number)
        said.append(strategy.continue_row(model, max_new_tokens=NEW, seed=7))
    if any(one != said[0] for one in said):
        raise ContractBroken(
            f"{strategy.spec.name} with the same seed says {said[0]} and then another: use the session's generator"
        )
    if draws and len({tuple(strategy.continue_row(model, max_new_tokens=NEW, seed=one)) for one in SEEDS}) == 1:
        raise ContractBroken(
            f"{strategy.spec.name} says the same for {len(SEEDS)} seeds, and its test class says that it draws"
        )
