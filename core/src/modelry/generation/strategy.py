"""Which decoder plugin a GenerationConfig asks for: the ecosystem's fields as a table. No torch here."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from modelry.errors import GenerationError
from modelry.generation.configuration import GenerationConfig


class Row(NamedTuple):
    """A strategy, and the field (of a config, or an argument beside it) whose value asks for it."""

    strategy: str
    field: str
    asks: Callable[[Any], bool]
    unless: str | None = None
    """A field that, when it is on, keeps this one from asking."""

    def asked_by(self, values: Mapping[str, Any]) -> bool:
        """Whether these values ask for the strategy."""
        return self.asks(values.get(self.field)) and not (self.unless and values.get(self.unless))


def _given(value: Any) -> bool:
    return value is not None


def _several(value: Any) -> bool:
    return isinstance(value, int) and value > 1


def _filled(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value)


def _above_zero(value: Any) -> bool:
    return isinstance(value, int | float) and value > 0


STRATEGIES: tuple[Row, ...] = (
    Row("constrained", "json_schema", _given),
    Row("constrained", "regex", _given),
    Row("constrained", "grammar", _given),
    Row("constrained", "choices", _given),
    Row("constrained-beam-search", "constraints", _filled),
    Row("constrained-beam-search", "force_words_ids", _filled),
    Row("diverse-beam-search", "num_beam_groups", _several),
    Row("beam-search", "num_beams", _several),
    Row("speculative", "assistant_model", _given),
    Row("speculative", "prompt_lookup_num_tokens", _given),
    Row("speculative", "assistant_early_exit", _given),
    Row("speculative", "use_mtp", _above_zero),
    Row("dola", "dola_layers", _given),
    Row("contrastive-search", "penalty_alpha", _above_zero, unless="do_sample"),
)
"""The first row that asks is taken; none: sampling, which is greedy without do_sample."""

COMPANIONS: tuple[Row, ...] = (Row("watermark", "watermarking_config", _given),)
"""Plugins that take part beside the strategy, through the hook modelry_logits_processors."""

_WITH_BEAMS = frozenset({"beam-search", "diverse-beam-search", "constrained-beam-search"})
"""One refines the other, so the fields of one do not silence those of another."""
_IN_THE_TABLE = frozenset({row.strategy for row in (*STRATEGIES, *COMPANIONS)} | {"sampling"})


def choose_strategy(config: GenerationConfig, beside: Mapping[str, Any]) -> tuple[str, str]:
    """The strategy's name and why, for messages: `("beam-search", "num_beams")`."""
    if config.strategy is not None:
        return config.strategy, f"strategy={config.strategy!r}"
    for row in STRATEGIES:
        if row.asked_by({**vars(config), **beside}):
            return row.strategy, row.field
    return "sampling", "do_sample" if config.do_sample else "the default"


def companions(config: GenerationConfig) -> tuple[Row, ...]:
    """Plugins that the config wants beside the strategy."""
    return tuple(row for row in COMPANIONS if row.asked_by(vars(config)))


def silenced(layer: Mapping[str, Any]) -> frozenset[str]:
    """Fields that do not count in a farther source, because this nearer one asks for a strategy without them.

    A call that asks for dola is not held up by the num_beams of a generation_config.json. Nothing is silenced for a
    strategy that is not in the table: it may read any field.
    """
    named = layer.get("strategy")
    if not isinstance(named, str | None):
        return frozenset()  # the configuration refuses it
    asked = {named} if named is not None else {row.strategy for row in STRATEGIES if row.asked_by(layer)}
    if not asked or not asked <= _IN_THE_TABLE:
        return frozenset()
    if asked & _WITH_BEAMS:
        asked |= _WITH_BEAMS
    fields = {row.field for row in STRATEGIES if row.strategy not in asked} | {"strategy"}
    fields |= {row.unless for row in STRATEGIES if row.unless and row.strategy in asked}
    return frozenset(fields - layer.keys())


def refuse_rivals(
    strategy: str, because: str, values: Mapping[str, Any], *, named: Collection[str], reads: Collection[str]
) -> None:
    """Refuse what a caller says and the strategy would ignore, because it asks for another strategy.

    Args:
        strategy, because: as chosen.
        values: all that counts, arguments beside the configuration too.
        named: what the caller said; the rest is a file's, which may hold fields for several strategies.
        reads: fields of the strategy's parameters.

    Raises:
        GenerationError: names both.
    """
    for row in STRATEGIES:
        ignored = row.field in named and row.strategy != strategy and row.field not in reads
        if ignored and row.asks(values.get(row.field)):
            raise GenerationError(
                f"{row.field} asks for the strategy {row.strategy!r}, and {because} for {strategy!r}: they do not "
                "combine, so leave one of the two out"
            )
