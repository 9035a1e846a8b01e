"""`model.generate`: which models may, and prompts that another package has learned and puts in front of every text.

B batch   P positions of the text   N positions that were learned
"""

from collections.abc import Callable
from typing import Any

import torch

from modelry import generation
from modelry.auto import HEADS
from modelry.errors import GenerationError, RegistryError
from modelry.foreign_caches import own_cache
from modelry.neighbours import replaced_inputs
from modelry_registry import get_registry, resolve


def enter(model: Any, inputs: Any, generation_config: Any, options: dict[str, Any]) -> Any:
    """Generate; see modelry.generation.generate.

    Raises:
        GenerationError: the model does not score next tokens.
    """
    if not model.can_generate():
        raise GenerationError(
            f"{type(model).__name__} does not score next tokens, so it cannot generate: {_what_can(model)}"
        )
    prepare = replaced_inputs(model)
    if prepare is not None and not model.config.is_encoder_decoder:
        inputs, options = _after_learned(model, prepare, inputs, options)
    return generation.generate(model, inputs, generation_config, **options)


def _what_can(model: Any) -> str:
    """Which classes of the model's family generate, and what loads them."""
    name = model.config.model_type
    try:
        heads = get_registry().get("models", name).heads
    except RegistryError:  # a model made in this process has no plugin
        return "load the checkpoint with a class that does (AutoModelForCausalLM, AutoModelForSeq2SeqLM)"
    loads: dict[Any, Any] = {resolve(heads[head]): HEADS[head] for head in heads if head in HEADS}
    found = [f"{auto.__name__} ({one.__name__})" for one, auto in loads.items() if one.can_generate()]
    return f"load the checkpoint with {' or '.join(found)}" if found else f"nothing of the family {name} does"


def _after_learned(
    model: Any, prepare: Callable[..., Any], inputs: Any, options: dict[str, Any]
) -> tuple[torch.Tensor, dict[str, Any]]:
    """The text, and a cache that remembers what was learned: then generation knows no difference.

    Args:
        prepare: gives the model's inputs for a text, (B, P) ids, with (B, N + P, D) vectors or a cache of N positions.
    """
    ids = options.pop("input_ids", None) if inputs is None else inputs
    if not isinstance(ids, torch.Tensor) or options.get("past_key_values") is not None:
        raise GenerationError("a learned prompt goes in front of input_ids, a tensor: give it alone")
    ids = ids.to(model.device)
    mask = options.pop("attention_mask", None)
    mask = torch.ones_like(ids) if mask is None else mask.to(model.device)
    with torch.no_grad():
        made = prepare(ids, attention_mask=mask, past_key_values=None)
        cache = made.get("past_key_values")
        if cache is None:
            learned = made["inputs_embeds"][:, : -ids.shape[1]]
            cache = model.make_cache()
            model(inputs_embeds=learned, past_key_values=cache, use_cache=True, logits_to_keep=1)
    mask = made["attention_mask"].to(mask.dtype)
    return ids, {**options, "attention_mask": mask, "past_key_values": own_cache(cache)}
