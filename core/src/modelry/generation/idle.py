"""What a call says and nothing will read: named in a warning, never swallowed. No torch here."""

import warnings
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from modelry.errors import ModelryWarning
from modelry.generation.configuration import GenerationConfig

_DRAFTED = "a draft model (assistant_model, assistant_early_exit)"
OF_BEAMS = ("length_penalty", "early_stopping")
"""Fields that only searches with several beams read."""
_OF_STRATEGIES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(OF_BEAMS, "beams (num_beams)"),
        "diversity_penalty": "groups of beams (num_beam_groups)",
        "num_assistant_tokens": _DRAFTED,
        "num_assistant_tokens_schedule": _DRAFTED,
        "assistant_confidence_threshold": _DRAFTED,
        "assistant_ensemble_weight": _DRAFTED,
        "speculation_type": _DRAFTED,
        "target_lookbehind": "a draft model of another tokenizer (assistant_tokenizer)",
        "max_matching_ngram_size": "drafts from the text (prompt_lookup_num_tokens)",
    }
)
"""Fields that only strategies read, and what they act with."""
_NEVER: Mapping[str, str] = MappingProxyType(
    {
        "assistant_lookbehind": "a draft model of another tokenizer reads the whole text",
        "is_assistant": "a draft model is the one given as assistant_model",
    }
)
"""Fields of the ecosystem that need not be said here, and why."""
_OF_CACHES = ("cache_implementation", "cache_config", "max_cache_len")
_RECORDED = ("output_scores", "output_logits", "output_attentions", "output_hidden_states")


def warn_of_idle(
    config: GenerationConfig,
    call: Mapping[str, Any],
    *,
    strategy: str,
    reads: Collection[str],
    beside: Mapping[str, Any],
) -> None:
    """Warn of values that change nothing in this call. A generation_config.json may hold values for other calls.

    Args:
        config: all that counts.
        call: fields that the caller names, in the call or its generation_config.
        strategy: that runs.
        reads: fields of its parameters.
        beside: arguments of the call that are no fields.
    """
    named = {name: value for name, value in call.items() if value is not None and value is not False}
    for name in sorted(named.keys() & _OF_STRATEGIES.keys() - set(reads)):
        if named[name] != GenerationConfig.model_fields[name].default:
            _say(name, f"acts with {_OF_STRATEGIES[name]}, and this call runs the strategy {strategy!r}")
    for name in sorted(named.keys() & _NEVER.keys()):
        _say(name, f"has no effect: {_NEVER[name]}")
    if config.use_cache is False and named.keys() & set(_OF_CACHES):
        _say(", ".join(sorted(named.keys() & set(_OF_CACHES))), "has no effect with use_cache=False")
    if not config.return_dict_in_generate and named.keys() & set(_RECORDED):
        _say(", ".join(sorted(named.keys() & set(_RECORDED))), "comes back only with return_dict_in_generate=True")
    if beside.get("assistant_tokenizer") is not None and beside.get("assistant_model") is None:
        _say("assistant_tokenizer", "acts with assistant_model, and there is none")
    if beside.get("negative_prompt_ids") is not None and config.guidance_scale in (None, 1):
        _say("negative_prompt_ids", "acts with guidance_scale above 1")


def _say(name: str, why: str) -> None:
    warnings.warn(f"{name} {why}", ModelryWarning, stacklevel=5)
