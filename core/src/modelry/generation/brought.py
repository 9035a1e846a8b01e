"""What a call brings beside values: functions, a streamer, a cache, a negative prompt; refused before any work."""

import math
from collections.abc import Iterable
from typing import Any, TypeVar

import torch
from torch import Tensor

from modelry.cache import LayerCache, StateLayerCache
from modelry.cache.making import RECURRENT
from modelry.errors import GenerationError
from modelry.generation.prompt import check_ids, matrix_of_ids, vocabulary_of

T = TypeVar("T")


def functions(name: str, given: Iterable[T] | T | None) -> list[T]:
    """One or more functions as a list.

    Raises:
        GenerationError: something else is among them.
    """
    found: list[Any] = [] if given is None else list(given) if isinstance(given, Iterable) else [given]
    for one in found:
        if not callable(one):
            raise GenerationError(
                f"{name} holds {one!r:.60}, of type {type(one).__name__}: give functions or objects that can be called"
            )
    return found


def check_drains(streamer: Any, generator: Any) -> None:
    """Refuse what cannot take tokens, or give numbers.

    Raises:
        GenerationError: names the type, and what is needed.
    """
    if streamer is not None and not (hasattr(streamer, "put") and hasattr(streamer, "end")):
        raise GenerationError(f"streamer is of type {type(streamer).__name__}: one with put(ids) and end() is needed")
    if generator is not None and not isinstance(generator, torch.Generator):
        raise GenerationError(f"generator is of type {type(generator).__name__}: a torch.Generator is needed, or seed=")


def remembered(cache: Any, model: Any) -> int:
    """Positions in a cache, 0 without one.

    Raises:
        GenerationError: it is none, or the model cannot go on from it.
    """
    if cache is None:
        return 0
    if model.config.is_encoder_decoder:
        raise GenerationError("an encoder-decoder model starts each answer anew: leave past_key_values out")
    if not hasattr(cache, "seen"):
        raise GenerationError(
            f"past_key_values is a {type(cache).__name__}: give the Cache of an earlier result, or model.make_cache()"
        )
    _refuse_others(cache, model)
    return int(cache.seen)


def _refuse_others(cache: Any, model: Any) -> None:
    """Refuse the cache of another model, as far as its layers show it; of heads the first pass tells, layer by layer.

    Raises:
        GenerationError: names what was found and what the model has.
    """
    found, own = getattr(cache, "layers", None), getattr(model.make_cache(), "layers", None)
    if found is None or own is None:  # an architecture's own
        return
    name, way_out = type(model).__name__, "Give that of an earlier result of this model, or model.make_cache()"
    if len(found) != len(own):
        raise GenerationError(
            f"past_key_values has {len(found)} layers, and {name} has {len(own)}: it is another model's. {way_out}"
        )
    for number, (one, needed) in enumerate(zip(found, own, strict=True)):
        states = [isinstance(each, StateLayerCache) for each in (one, needed)]
        window = math.inf if needed.window is None else needed.window
        if states[0] != states[1] or (one.window is not None and one.window < window):
            raise GenerationError(
                f"layer {number} of past_key_values keeps {_kept(one)}, and that of {name} needs {_kept(needed)}: it "
                f"is another model's. {way_out}"
            )


def _kept(layer: LayerCache) -> str:
    if isinstance(layer, StateLayerCache):
        return "a recurrent state"
    return "all keys" if layer.window is None else f"the last {layer.window} keys"


def refuse_hidden(model: Any, mask: Tensor | None) -> None:
    """Refuse to hide from a recurrent model what lies in the middle of a text: padding behind answers of earlier turns.

    Args:
        mask: (B, P), 0 at padding, or None.

    Raises:
        GenerationError: the mask hides positions that a state cannot pass over, or has read.
    """
    behind = [] if mask is None else (mask.diff(dim=1) < 0).any(dim=1).nonzero().flatten().tolist()
    if behind and RECURRENT in (getattr(model.config.get_text_config(), "layer_types", None) or ()):
        raise GenerationError(
            f"attention_mask hides positions in the middle of rows {behind}: a recurrent state cannot pass over them, "
            "nor forget them once it has read them. Give each text as a whole, with its padding in front, and no "
            "past_key_values"
        )


def negative_prompt(ids: Any, mask: Any, model: Any, *, rows: int) -> tuple[Tensor | None, Tensor | None]:
    """The ids (B, P') and mask of what guidance leads away from, on the model's device.

    Args:
        rows: B, of the prompts.

    Raises:
        GenerationError: there are more or fewer rows, or ids that the model does not read.
    """
    names = ("negative_prompt_ids", "negative_prompt_attention_mask")
    placed, hidden = (
        None if one is None else matrix_of_ids(one, name).to(model.device)
        for one, name in zip((ids, mask), names, strict=True)
    )
    if placed is not None:
        if placed.shape[0] != rows:
            raise GenerationError(
                f"negative_prompt_ids has shape {tuple(placed.shape)}, and there are {rows} prompts: (rows, positions) "
                "is needed, a row of each"
            )
        check_ids(placed, vocabulary_of(model))
    if hidden is not None and (placed is None or hidden.shape != placed.shape):
        found = "none" if placed is None else tuple(placed.shape)
        raise GenerationError(
            f"negative_prompt_attention_mask has shape {tuple(hidden.shape)}, and negative_prompt_ids {found}"
        )
    return placed, hidden
