"""The keyword arguments of generate(): which configure, which are the model's inputs, which nobody knows."""

import difflib
import inspect
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from modelry.errors import GenerationError
from modelry.generation.configuration import GenerationConfig

_THE_SESSIONS = frozenset(
    [
        "self",
        "input_ids",
        "attention_mask",
        "position_ids",
        "past_key_values",
        "use_cache",
        "logits_to_keep",
        "labels",
        "return_dict",
        "output_attentions",
        "output_hidden_states",
        "cache_position",
        "encoder_outputs",
        "decoder_input_ids",
        "decoder_attention_mask",
        "decoder_inputs_embeds",
    ]
)
"""Arguments of forward that generation fills itself."""

_BESIDE = [
    "inputs",
    "input_ids",
    "attention_mask",
    "generation_config",
    "strategy",
    "logits_processor",
    "stopping_criteria",
    "prefix_allowed_tokens_fn",
    "streamer",
    "tokenizer",
    "negative_prompt_ids",
    "negative_prompt_attention_mask",
    "assistant_model",
    "assistant_tokenizer",
    "past_key_values",
    "decoder_input_ids",
    "decoder_attention_mask",
    "generator",
    "synced_gpus",
    "custom_generate",
    "seed",
    "cache",
]
"""Arguments that generate() names itself; here for the suggestions."""

_ELSEWHERE = {
    "token_healing": "end the prompt with a whole word",
    "low_memory": "beams go on together: lower num_beams",
    "decoder_inputs_embeds": "an answer begins with ids, decoder_input_ids",
    "continuous_batching_config": "the rows of a call are one batch, which finished ones leave",
}
"""The ecosystem's arguments that are not offered, and what to do instead. None and False ask for nothing."""

_PUBLISHED_LOOPS = {
    "transformers-community/contrastive-search": "contrastive-search",
    "transformers-community/dola": "dola",
    "transformers-community/group-beam-search": "diverse-beam-search",
    "transformers-community/constrained-beam-search": "constrained-beam-search",
}
"""What the ecosystem loads code for (custom_generate), and which strategy that is."""


class Keywords(NamedTuple):
    """The keywords of one call, sorted."""

    config: dict[str, Any]
    """Fields of GenerationConfig."""
    inputs: dict[str, Any]
    """Arguments of the model's forward: pixel_values, inputs_embeds, ..."""
    others: dict[str, Any]
    """The strategy's own, or nobody's."""


def sort_keywords(keywords: Mapping[str, Any], model: Any) -> Keywords:
    """Say what each keyword is for. `cache` is `cache_implementation` by a shorter name, `custom_generate` a strategy.

    Raises:
        GenerationError: both names are given, or a cache itself; a repository of code.
    """
    takes = _inputs_of(type(model))
    found = Keywords({}, {}, {})
    for name, value in _strategy_by_name(_long_names(keywords)).items():
        if name in GenerationConfig.model_fields:
            found.config[name] = value
        elif name in takes or (name == "encoder_outputs" and model.config.is_encoder_decoder):
            if value is not None:
                found.inputs[name] = value
        elif name in _ELSEWHERE:
            if value is not None and value is not False:
                raise GenerationError(f"{name} is not offered: {_ELSEWHERE[name]}")
        else:
            found.others[name] = value
    return found


def _long_names(keywords: Mapping[str, Any]) -> Mapping[str, Any]:
    if "cache" not in keywords:
        return keywords
    kind, other = keywords["cache"], keywords.get("cache_implementation")
    if not (kind is None or isinstance(kind, str)):
        raise GenerationError(
            f"cache={type(kind).__name__} is no name of a kind of cache: give a cache itself as past_key_values"
        )
    if other is not None and kind is not None and kind != other:
        raise GenerationError(f"cache={kind!r} and cache_implementation={other!r} say two things: leave one out")
    rest = {name: value for name, value in keywords.items() if name != "cache"}
    return {**rest, "cache_implementation": kind if other is None else other}


def _strategy_by_name(keywords: Mapping[str, Any]) -> Mapping[str, Any]:
    """Let `custom_generate` name a strategy; `trust_remote_code` permits what is never done."""
    rest = {name: value for name, value in keywords.items() if name not in ("custom_generate", "trust_remote_code")}
    name, said = keywords.get("custom_generate"), keywords.get("strategy")
    if name is None:
        return rest
    strategy = _PUBLISHED_LOOPS.get(str(name))
    if strategy is None:
        raise GenerationError(
            f"custom_generate={name!r}: no code comes from a repository or a folder. Give a function of your own, a "
            f"strategy's plugin by strategy=, or one of {', '.join(_PUBLISHED_LOOPS)}"
        )
    if said not in (None, strategy):
        raise GenerationError(f"custom_generate={name!r} is {strategy!r}, and strategy={said!r}: leave one out")
    return {**rest, "strategy": strategy}


def refuse_unknown(others: Collection[str], strategy: str, parameters: Collection[str], model: Any) -> None:
    """Refuse keywords that neither the configuration, nor the model, nor the strategy has.

    Raises:
        GenerationError: names them, and what was probably meant.
    """
    unknown = sorted(set(others) - set(parameters))
    if not unknown:
        return
    known = sorted({*GenerationConfig.model_fields, *_BESIDE, *parameters, *_inputs_of(type(model))})
    lines = []
    for name in unknown:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
        lines.append(f"{name!r}" + (f" (did you mean {' or '.join(near)}?)" if near else ""))
    raise GenerationError(
        f"generate() has no keyword {', '.join(lines)}; neither has the strategy {strategy!r} or {type(model).__name__}"
    )


def _inputs_of(model_class: type[Any]) -> frozenset[str]:
    """Names of forward's own inputs; of a head that hands the rest on to the head it is made from, of that too."""
    named: set[str] = set()
    for one in model_class.__mro__:
        if "forward" in vars(one):
            found = inspect.signature(vars(one)["forward"]).parameters.values()
            named |= {each.name for each in found if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)}
            if all(each.kind is not each.VAR_KEYWORD for each in found):
                break
    return frozenset(named - _THE_SESSIONS)
