"""Ways to divide a training, each with what it takes, as rows, as a table for people and as plain values."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from modelry.checkpoint.skeleton import without_values
from modelry.cli.size_table import readable
from modelry.embeddings import output_embeddings
from modelry.errors import ParallelError
from modelry.parallel.plan import plan_of
from modelry_trainer.scale.memory import Memory, memory
from modelry_trainer.scale.traffic import Traffic, traffic
from modelry_trainer.scale.units import Units, units_of
from modelry_trainer.scale.ways import Way

if TYPE_CHECKING:
    from modelry.model import PreTrainedModel

HEAD = ("way", "devices", "weights", "gradients", "AdamW", "gathered", "activations", "device", "CPU", "sent a step")
MOST_TENSOR = 8
"""Processes that share a layer's work, unless asked for: as many as one machine's fast connection commonly joins."""


@dataclass(frozen=True)
class Row:
    """One way and what a device needs for it."""

    way: Way
    memory: Memory
    traffic: Traffic

    def as_values(self) -> dict[str, Any]:
        """Plain values, in bytes."""
        return {
            "way": self.way.name,
            **asdict(self.way),
            "devices": self.way.devices,
            "memory": {**asdict(self.memory), "device": self.memory.device},
            "traffic": {**asdict(self.traffic), "whole": self.traffic.whole},
        }

    def cells(self) -> tuple[str, ...]:
        """As `HEAD` says."""
        needs = self.memory
        kept = "unknown" if needs.activations is None else readable(needs.activations)
        sizes = (needs.weights, needs.gradients, needs.optimizer, needs.gathered)
        last = (needs.device, needs.elsewhere, self.traffic.whole)
        return (self.way.name, str(self.way.devices), *map(readable, sizes), kept, *map(readable, last))


def without_weights(config: Any, model_class: Any) -> "PreTrainedModel":
    """The model of a configuration on the meta device."""
    with without_values():
        model: PreTrainedModel = model_class(config)
    return model


def rows(model: "PreTrainedModel", ways: Iterable[Way]) -> list[Row]:
    """What each way takes for a model on the meta device.

    Raises:
        ParallelError: the model cannot be divided so.
    """
    known: dict[int, Units] = {}
    found = []
    for way in ways:
        units = known.setdefault(way.tensor, units_of(model, way.tensor))
        config = model.config.get_text_config()
        sent = traffic(units, width=config.hidden_size, vocabulary=_divided_vocabulary(model, way.tensor), way=way)
        scores = 0 if way.tensor == 1 else _vocabulary(model)
        found.append(Row(way, memory(units, config, way, scores=scores), sent))
    return found


def _divided_vocabulary(model: "PreTrainedModel", tensor: int) -> int:
    """V where T processes divide the head's outputs, which each of them then gathers; else 0."""
    divided = "colwise_gather_output" in plan_of(model).values()
    words = _vocabulary(model)
    return 0 if tensor == 1 or not divided or words % tensor else words


def _vocabulary(model: "PreTrainedModel") -> int:
    """V of a model that scores words, else 0."""
    head = output_embeddings(model)
    return 0 if head is None else head.get_parameter("weight").shape[0]


def ways_for(model: "PreTrainedModel", devices: int, *, tensor: int | None, recompute: bool, tokens: int) -> list[Way]:
    """The ways to use so many devices that this model allows.

    Args:
        tensor: T; None: every number of devices up to `MOST_TENSOR` that divides them and the model.

    Raises:
        ParallelError: it cannot be divided over so many.
    """
    if devices == 1:
        return [Way(recompute=recompute, tokens=tokens)]
    if tensor is not None and devices % tensor:
        raise ParallelError(f"{tensor} processes for each layer do not divide {devices} devices")
    found: list[Way] = []
    for count in [tensor] if tensor else [one for one in range(1, MOST_TENSOR + 1) if devices % one == 0]:
        try:
            units_of(model, count)
        except ParallelError:
            if tensor is not None:
                raise
            continue
        data = devices // count
        found.append(Way(replicate=data, tensor=count, recompute=recompute, tokens=tokens))
        if data > 1:
            sharded = Way(shard=data, tensor=count, recompute=recompute, tokens=tokens)
            found += [sharded, replace(sharded, offload=True)]
    return found


def as_text(found: Sequence[Row]) -> str:
    """A table."""
    lines = [HEAD, *(row.cells() for row in found)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(line[1:], widths[1:], strict=True))])
        for line in lines
    )


def as_markdown(found: Sequence[Row]) -> str:
    """The same for a page."""
    lines = [HEAD, ("---", *["---:"] * (len(HEAD) - 1)), *(row.cells() for row in found)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
