"""How a strategy follows the model: on toys whose sequences are known by enumeration.

R rows   P prompt   N new tokens
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from modelry.errors import ModelryError
from modelry.generation import StoppingCriteria, StoppingCriteriaList
from modelry_testing.decoding.listening import Listener
from modelry_testing.decoding.strategy import PAD, Strategy, left_padded
from modelry_testing.errors import ContractBroken
from modelry_testing.toys.encoder_decoder import in_two_parts
from modelry_testing.toys.oracle import LONG, NEW, PROMPTS, best_sequences, greedy_path


def certain(strategy: Strategy) -> None:
    """Every prompt is continued as the model says."""
    for prompt in PROMPTS:
        _expect(strategy, strategy.continue_row(strategy.certain, prompt, max_new_tokens=LONG), _says(strategy, prompt))


def _says(strategy: Strategy, prompt: tuple[int, ...], new: int = LONG) -> list[int]:
    return list(greedy_path(strategy.certain, prompt, new))


def _expect(
    strategy: Strategy, found: list[int], expected: list[int], what: str = "the model leaves no choice"
) -> None:
    if found != expected:
        raise ContractBroken(f"{strategy.spec.name} says {found}, and should say {expected}: {what}")


def batch(strategy: Strategy) -> None:
    """A batch padded on the left."""
    ids, mask = left_padded()
    found = strategy.run(strategy.certain, ids, attention_mask=mask, max_new_tokens=LONG)
    for row, prompt in enumerate(PROMPTS):
        _expect(strategy, found[row, ids.shape[1] :].tolist(), _says(strategy, prompt), f"row {row} of a batch")


def encoder_decoder(strategy: Strategy) -> None:
    """Texts in two parts, the first read by an encoder: continued as the whole text is, or refused."""
    model, prompts = in_two_parts(strategy.certain), [one for one in PROMPTS if len(one) > 1]
    longest = max(map(len, prompts)) - 1
    ids = torch.tensor([[*one[:-1], *[PAD] * (longest + 1 - len(one))] for one in prompts])
    mask = torch.tensor([[1] * (len(one) - 1) + [0] * (longest + 1 - len(one)) for one in prompts])
    starts, passes = [one[-1] for one in prompts], list[object]()
    handle = model.register_forward_pre_hook(lambda *inputs: passes.append(inputs))
    try:
        found = strategy.run(
            model, ids, attention_mask=mask, decoder_start_token_id=starts, use_cache=False, max_new_tokens=LONG
        )
    except ModelryError as error:
        if passes or "encoder-decoder" not in str(error):
            when = "after it ran" if passes else "without saying that it is one"
            raise ContractBroken(f"{strategy.spec.name} refuses an encoder-decoder model {when}: {error}") from error
        pytest.skip(f"the strategy refuses encoder-decoder models: {error}")
    finally:
        handle.remove()
    for row, prompt in enumerate(prompts):
        _expect(strategy, found[row, 1:].tolist(), _says(strategy, prompt), f"row {row} of an encoder-decoder model")


def stop_tokens(strategy: Strategy) -> None:
    """The third token of the first prompt's continuation ends sequences."""
    said = _says(strategy, PROMPTS[0])
    end = said[2]
    alone = strategy.continue_row(strategy.certain, max_new_tokens=LONG, eos_token_id=end)
    _expect(strategy, alone, said[:3], f"token {end} ends a sequence")
    several = strategy.continue_row(strategy.certain, max_new_tokens=LONG, eos_token_id=[end, said[1]])
    _expect(
        strategy, several, said[: 1 + min(said.index(end), said.index(said[1]))], f"tokens {end} and {said[1]} end one"
    )
    ids, mask = left_padded()
    behind = PAD + 1  # beams take 0 for no pad token, as published
    keywords = {"max_new_tokens": LONG, "eos_token_id": end, "pad_token_id": behind}
    found = strategy.run(strategy.certain, ids, attention_mask=mask, **keywords)
    width = found.shape[1] - ids.shape[1]
    for row, prompt in enumerate(PROMPTS):
        said = _says(strategy, prompt)
        length = said.index(end) + 1 if end in said else LONG
        expected = (said[:length] + [behind] * LONG)[:width]
        _expect(strategy, found[row, ids.shape[1] :].tolist(), expected, f"row {row} of a batch, ended by {end}")


def maximum_length(strategy: Strategy) -> None:
    """Both ways to say it, and one token."""
    said = _says(strategy, PROMPTS[0])
    limits: tuple[tuple[dict[str, Any], int], ...] = (
        ({"max_new_tokens": 1}, 1),
        ({"max_new_tokens": 5}, 5),
        ({"max_length": len(PROMPTS[0]) + 3}, 3),
    )
    for keywords, new in limits:
        found = strategy.continue_row(strategy.certain, **keywords)
        _expect(strategy, found, said[:new], f"{keywords} was asked for")


class _AfterTwo(StoppingCriteria):
    """Done when two tokens stand behind the first prompt."""

    def __call__(self, input_ids: Tensor, scores: Sequence[Tensor] | None, **_: Any) -> Tensor:
        long_enough = input_ids.shape[1] >= len(PROMPTS[0]) + 2
        return torch.full((input_ids.shape[0],), long_enough, device=input_ids.device)


def stopping_criteria(strategy: Strategy) -> None:
    """A criterion that ends every row after two new tokens."""
    criteria = StoppingCriteriaList([_AfterTwo()])
    found = strategy.continue_row(strategy.certain, max_new_tokens=LONG, stopping_criteria=criteria)
    _expect(strategy, found, _says(strategy, PROMPTS[0])[:2], "a stopping criterion ends it")


def processors(strategy: Strategy) -> None:
    """The model's first choice is suppressed."""
    unwanted = _says(strategy, PROMPTS[0])[0]
    found = strategy.continue_row(strategy.certain, max_new_tokens=LONG, suppress_tokens=[unwanted])
    if unwanted in found:
        raise ContractBroken(
            f"{strategy.spec.name} says {found}, although token {unwanted} is suppressed: choose by session.scores"
        )


def streaming(strategy: Strategy) -> None:
    """What the streamer heard is what generate returned."""
    listener = Listener()
    said = strategy.continue_row(strategy.certain, max_new_tokens=LONG, streamer=listener)
    heard = [one for part in listener.parts for one in part]
    if heard[: len(PROMPTS[0])] == list(PROMPTS[0]):
        heard = heard[len(PROMPTS[0]) :]
    _expect(strategy, heard, said, "a streamer hears what generate returns")
    if len(listener.parts) < LONG:
        raise ContractBroken(
            f"{strategy.spec.name} gives {LONG} tokens to a streamer in {len(listener.parts)} parts: stream each"
        )
    if listener.ends != 1:
        raise ContractBroken(f"{strategy.spec.name} ends its streamer {listener.ends} times")


def greedy(strategy: Strategy, keywords: Mapping[str, Any]) -> None:
    """Each token is the most likely next one, even where that leads away from the most likely sequence."""
    expected = list(greedy_path(strategy.tempting, PROMPTS[0], NEW))
    found = strategy.continue_row(strategy.tempting, max_new_tokens=NEW, **keywords)
    _expect(strategy, found, expected, "these are the most likely next tokens")


def best(strategy: Strategy, keywords: Mapping[str, Any]) -> None:
    """The most likely sequence of all, which does not begin with the most likely token."""
    ((expected, _),) = best_sequences(strategy.tempting, PROMPTS[0], NEW, count=1)
    found = strategy.continue_row(strategy.tempting, max_new_tokens=NEW, **keywords)
    _expect(strategy, found, list(expected), "this is the most likely of all sequences")
