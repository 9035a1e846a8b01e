"""A plan of devices as a table for people and as JSON."""

import re
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from modelry.checkpoint.filling import DISK
from modelry.checkpoint.placement import published_place
from modelry.checkpoint.planning import Plan
from modelry.cli.size_table import readable

HEAD = ("device", "memory", "weights", "cache", "working", "free", "modules")
_NUMBERED = re.compile(r"(.*)\.(\d+)")


def rows(plan: Plan) -> list[dict[str, Any]]:
    """What each device holds; `working` is kept free there for what is read from disk."""
    found = []
    for place, memory in plan.room.items():
        parts = plan.filled.on(place)
        if place == DISK and not parts:
            continue
        taken = plan.filled.taken(place)
        found.append(
            {
                "device": str(place),
                "memory": memory,
                "weights": sum(part.size for part in parts),
                "cache": 0 if place == DISK else sum(part.cache for part in parts),
                "working": plan.filled.working if place == plan.filled.main else 0,
                "free": None if memory is None else memory - taken,
                "modules": [path for part in parts for path in part.paths],
            }
        )
    return found


def as_json(plan: Plan) -> dict[str, Any]:
    """The plan as plain values; its device_map can be given to from_pretrained."""
    return {
        "model": plan.model,
        "dtype": plan.dtype,
        "quantization": plan.quantization,
        "bytes": plan.size,
        "cache_bytes": plan.cache,
        "computes_disk": str(plan.filled.main) if plan.filled.on(DISK) else None,
        "devices": rows(plan),
        "device_map": {path: published_place(place) for path, place in plan.device_map().items()},
    }


def title(plan: Plan) -> str:
    """The model in one line."""
    packed = f", {plan.quantization}" if plan.quantization else ""
    cache = f", and a cache of {readable(plan.cache)}" if plan.cache else ""
    return f"{plan.model} in {plan.dtype}{packed}: {readable(plan.size)}{cache}"


def as_text(plan: Plan) -> str:
    """The title, a table with a row for each device, and what computes the disk's share."""
    lines = [HEAD]
    for row in rows(plan):
        sizes = [row["memory"], row["weights"], row["cache"], row["working"], row["free"]]
        cells = ["-" if size is None else readable(size) for size in sizes]
        lines.append((row["device"], *cells, in_short(row["modules"]) or "-"))
    widths = [max(len(line[column]) for line in lines) for column in range(6)]
    table = [
        "  ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(line[1:6], widths[1:], strict=True)), line[6]]
        )
        for line in lines
    ]
    used = plan.filled.on(DISK)
    note = [f"What lies on disk is computed on {plan.filled.main}, the next part read beside it."] if used else []
    return "\n".join([title(plan), "", *table, *note])


def in_short(paths: Sequence[str]) -> str:
    """Paths with neighbouring numbers as one: "model.layers.0-11"."""
    shown = []
    numbered = [_NUMBERED.fullmatch(path) for path in paths]
    for stem, run in groupby(zip(paths, numbered, strict=True), key=lambda one: one[1] and one[1][1]):
        members = list(run)
        if stem is None or len(members) == 1:
            shown += [path for path, _ in members]
        else:
            first, last = members[0][0], members[-1][0].rpartition(".")[2]
            shown.append(f"{first}-{last}")
    return ", ".join(shown)
