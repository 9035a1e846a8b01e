"""custom_generate: a decoding loop of the caller's own, a function over the model and not a plugin over a session.

A name stands for one of our strategies, as the ecosystem publishes it; no code comes from a repository.
R rows = prompts · max(num_beams, num_return_sequences)   P positions of the prompt
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from modelry.errors import GenerationError
from modelry.generation.caching import new_cache
from modelry.generation.configuration import GenerationConfig
from modelry.generation.processors.processor import LogitsProcessorList
from modelry.generation.prompt import Prompt
from modelry.generation.stopping import (
    Criterion,
    EosTokenCriteria,
    MaxLengthCriteria,
    MaxTimeCriteria,
    StoppingCriteriaList,
    StopStringCriteria,
)

Loop = Callable[..., Any]
_GIVEN = frozenset(
    {
        *("input_ids", "attention_mask", "past_key_values", "use_cache"),
        *("logits_processor", "stopping_criteria", "generation_config", "streamer"),
    }
)
"""Arguments of a loop that generate() fills."""


def own_arguments(loop: Loop | None, keywords: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Divide a call's keywords: those that the loop names and that configure nothing, and the rest."""
    if loop is None:
        return {}, dict(keywords)
    named = set(inspect.signature(loop).parameters) - _GIVEN - set(GenerationConfig.model_fields)
    taken = {name: value for name, value in keywords.items() if name in named}
    return taken, {name: value for name, value in keywords.items() if name not in named}


def run_loop(
    loop: Loop,
    model: Any,
    prompt: Prompt,
    config: GenerationConfig,
    *,
    cache: Any,
    limit: int,
    processors: LogitsProcessorList,
    criteria: Iterable[Criterion],
    arguments: Mapping[str, Any],
    tokenizer: Any,
) -> Any:
    """Call `loop(model, input_ids, ...)` and return what it returns.

    Args:
        cache: of an earlier result; None: a new one, unless use_cache=False.
        limit: positions at which texts end, prompt included.
        criteria: the caller's, behind those of the configuration.
        arguments: the loop's own.

    Raises:
        GenerationError: the model has an encoder, or the prompt is not of ids alone.
    """
    if model.config.is_encoder_decoder or prompt.embeds is not None or prompt.extras:
        raise GenerationError(
            "custom_generate: a function of yours is called with a decoder-only model's ids; for other inputs write a "
            "strategy over a session (modelry plugins new decoder NAME) and give strategy="
        )
    copies = max(config.num_beams or 1, config.num_return_sequences or 1)
    rows = torch.arange(prompt.rows, device=prompt.ids.device).repeat_interleave(copies)
    ids = prompt.ids[rows]  # (R, P)
    mask = torch.ones_like(ids) if prompt.mask is None else prompt.mask[rows]
    processors.keep(rows)
    with_cache = config.use_cache is not False
    if cache is None and with_cache:
        cache = new_cache(model, config, positions=limit, compiled=False)
    ends = StoppingCriteriaList([MaxLengthCriteria(limit)])
    if config.max_time is not None:
        ends.append(MaxTimeCriteria(config.max_time))
    if config.stop_strings:
        ends.append(StopStringCriteria(tokenizer, config.stop_strings))
    if config.end_tokens:
        ends.append(EosTokenCriteria(config.end_tokens))
    ends += criteria
    with torch.no_grad():
        return loop(
            model,
            ids,
            attention_mask=mask,
            past_key_values=cache,
            use_cache=with_cache,
            logits_processor=processors,
            stopping_criteria=ends,
            generation_config=config,
            **arguments,
        )
