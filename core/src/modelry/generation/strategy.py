"""Which decoder plugin a GenerationConfig asks for: the ecosystem's fields as a table. No torch here."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from modelry.generation.configuration import GenerationConfig

Asks = Callable[[GenerationConfig, Mapping[str, Any]], bool]


class Row(NamedTuple):
    """A strategy, and what in a config (and beside it, in the call) asks for it."""

    strategy: str
    because: str
    asks: Asks


STRATEGIES: tuple[Row, ...] = (
    Row("constrained-beam-search", "constraints", lambda c, _: bool(c.constraints)),
    Row("constrained-beam-search", "force_words_ids", lambda c, _: bool(c.force_words_ids)),
    Row("diverse-beam-search", "num_beam_groups", lambda c, _: (c.num_beam_groups or 1) > 1),
    Row("beam-search", "num_beams", lambda c, _: (c.num_beams or 1) > 1),
    Row("speculative", "assistant_model", lambda _, beside: beside.get("assistant_model") is not None),
    Row("speculative", "prompt_lookup_num_tokens", lambda c, _: c.prompt_lookup_num_tokens is not None),
    Row("speculative", "assistant_early_exit", lambda c, _: c.assistant_early_exit is not None),
    Row("speculative", "use_mtp", lambda c, _: bool(c.use_mtp)),
    Row("dola", "dola_layers", lambda c, _: c.dola_layers is not None),
    Row("contrastive-search", "penalty_alpha", lambda c, _: bool(c.penalty_alpha) and not c.do_sample),
)
"""The first row that asks is taken; none: sampling, which is greedy without do_sample."""

COMPANIONS: tuple[Row, ...] = (Row("watermark", "watermarking_config", lambda c, _: c.watermarking_config is not None),)
"""Plugins that take part beside the strategy, through the hook modelry_logits_processors."""


def choose_strategy(config: GenerationConfig, beside: Mapping[str, Any]) -> tuple[str, str]:
    """The strategy's name and why, for messages: `("beam-search", "num_beams")`."""
    if config.strategy is not None:
        return config.strategy, f"strategy={config.strategy!r}"
    for row in STRATEGIES:
        if row.asks(config, beside):
            return row.strategy, row.because
    return "sampling", "do_sample" if config.do_sample else "the default"


def companions(config: GenerationConfig) -> tuple[Row, ...]:
    """Plugins that the config wants beside the strategy."""
    return tuple(row for row in COMPANIONS if row.asks(config, {}))
