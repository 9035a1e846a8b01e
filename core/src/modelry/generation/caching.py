"""Which cache a generation gets, and how a prompt is divided on its way into it."""

import warnings
from typing import Any

from modelry.cache import Cache
from modelry.cache.making import PUBLISHED
from modelry.cache.static import roomy
from modelry.errors import ConfigError, GenerationError, ModelryWarning
from modelry.generation.configuration import GenerationConfig
from modelry.generation.prompt import Prompt
from modelry.nn.loop_attention import PIECE

CHUNK = 1024
"""Prompt positions fed at once, so that what a pass needs for its activations does not grow with the prompt: 67 MB
above the model for 8,192 tokens instead of 116, and no more time (six layers, D 576, bfloat16, one CPU core, PyTorch
2.13: 3.4 seconds; chunks of 512 took 3.9 and 48 MB)."""

_ROOM_AT_ONCE = ("static", "offloaded_static")


def new_cache(model: Any, config: GenerationConfig, *, positions: int, compiled: bool) -> Cache:
    """An empty cache of the kind that the config names: dynamic, or static for compiled steps, where it names none.

    Args:
        positions: of the prompt and the answer. A static cache has room for these, or for `max_cache_len`.

    Raises:
        GenerationError: there is no such kind, an option of it is wrong, it has too little room, or the model has none.
    """
    asked = config.cache_implementation or ("static" if compiled else "dynamic")
    options = dict(config.cache_config or {})
    kind = PUBLISHED.get(asked, asked)
    if kind in _ROOM_AT_ONCE:
        room = _room(config, options.get("max_cache_len"), positions)
        unused = PIECE if compiled and model.device.type == "cpu" else 0  # compiled steps leave the last piece free
        options["max_cache_len"] = roomy(positions + unused) if room is None else room
    elif config.max_cache_len is not None:
        warnings.warn(
            f"max_cache_len={config.max_cache_len} acts only with cache='static', and this cache is {asked!r}",
            ModelryWarning,
            stacklevel=4,
        )
    try:
        made: Cache = model.make_cache(kind=kind, **options)
    except ConfigError as error:  # the model's own word, whatever the kind
        raise GenerationError(str(error)) from error
    except (TypeError, ValueError) as error:
        raise GenerationError(f"cache_implementation={asked!r}: {error}") from error
    return made


def _room(config: GenerationConfig, in_options: Any, positions: int) -> Any:
    """What somebody says of the room."""
    said = config.max_cache_len
    if said is not None and in_options is not None and said != in_options:
        raise GenerationError(f"max_cache_len={said} and cache_config's {in_options} say two things: leave one out")
    room = in_options if said is None else said
    if isinstance(room, int) and 0 < room < positions:
        raise GenerationError(
            f"max_cache_len={room} has no room for the {positions} positions of the prompt and its answer: "
            "raise it, or leave it out"
        )
    return room


def chunk_of(model: Any, prompt: Prompt, config: GenerationConfig) -> int | None:
    """Prompt positions to be fed at once; None: all.

    By default prompts of more than CHUNK are divided, but not where that could change what the model says: beside
    other inputs (images), whose places in the prompt only the model knows, and where rotary angles follow the length
    of the pass.
    """
    if config.prefill_chunk_size is not None and not prompt.extras:
        return config.prefill_chunk_size
    if config.prefill_chunk_size is not None:
        warnings.warn(
            f"prefill_chunk_size={config.prefill_chunk_size} has no effect beside {', '.join(sorted(prompt.extras))}: "
            "only the model knows where in the prompt they belong, so it is read at once",
            ModelryWarning,
            stacklevel=4,
        )
    scaling = getattr(model.config.get_text_config(), "rope_parameters", None)
    follows_length = getattr(scaling, "rope_type", "default") in ("dynamic", "longrope")
    return None if prompt.width <= CHUNK or prompt.extras or follows_length else CHUNK
