"""The results of a training: an aligned list for people, and JSON files in output_dir for programs."""

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from modelry.atomic import write_text

ALL = "all_results.json"


def readable(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Times as hours, minutes and seconds, bytes in megabytes, operations in billions, others in four digits."""
    return {name: _readable(name, value) for name, value in metrics.items()}


def _readable(name: str, value: Any) -> Any:
    if name.endswith("_runtime"):
        whole = str(timedelta(seconds=int(value)))
        return f"{whole}.{int(value % 1 * 100):02d}"
    if "_mem_" in name:
        return f"{int(value) >> 20}MB"
    if name == "total_flos":
        return f"{int(value) / 1e9:.3f}GF"
    return round(value, 4) if isinstance(value, float) else value


def as_lines(split: str, metrics: Mapping[str, Any]) -> str:
    """A title, and a line for each, in the order of their names.

    Args:
        split: "train", "eval" or "test".
    """
    shown = {name: str(value) for name, value in sorted(readable(metrics).items())}
    names, values = (max(map(len, column), default=0) for column in (shown.keys(), shown.values()))
    lines = [f"  {name.ljust(names)} = {value.rjust(values)}" for name, value in shown.items()]
    return "\n".join([f"***** {split} metrics *****", *lines])


def keep(output: Path, split: str, metrics: Mapping[str, Any], *, combined: bool) -> None:
    """Write <split>_results.json; with `combined` add the metrics to all_results.json too."""
    output.mkdir(parents=True, exist_ok=True)
    write_text(output / f"{split}_results.json", _json(metrics))
    if combined:
        file = output / ALL
        before = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        write_text(file, _json({**before, **metrics}))


def _json(metrics: Mapping[str, Any]) -> str:
    return json.dumps(metrics, indent=4, sort_keys=True) + "\n"
