"""report.html: the curves of a training in one file that needs nothing else, not even a network."""

import html
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelry.atomic import write_text
from modelry_trainer.callbacks.events import TrainerCallback
from modelry_trainer.state import TrainerControl, TrainerState

if TYPE_CHECKING:
    from modelry_trainer.arguments import TrainingArguments

FILE = "report.html"
_LEFT_OUT = {"step", "epoch", "seconds_left", "num_input_tokens_seen", "total_flos"}
_WIDTH, _HEIGHT, _EDGE = 470, 220, 66
_COLOURS = ("#2563eb", "#dc2626")

Curve = list[tuple[float, float]]


class ReportCallback(TrainerCallback):
    """Writes report.html into output_dir when the training ends."""

    def on_train_end(
        self, args: "TrainingArguments", state: TrainerState, control: TrainerControl, **more: Any
    ) -> None:
        """Write the file in one step."""
        write_text(Path(args.output_dir) / FILE, report(args.to_dict(), state, type(more.get("model")).__name__))


def report(arguments: dict[str, Any], state: TrainerState, model: str) -> str:
    """The whole page.

    Args:
        model: name of the model's class.
    """
    curves = _curves(state.log_history)
    pairs = [("loss", "eval_loss")] if "loss" in curves or "eval_loss" in curves else []
    pairs += [(name, "") for name in curves if name not in ("loss", "eval_loss")]
    figures = "".join(_figure([(name, curves[name]) for name in pair if name in curves]) for pair in pairs)
    last = {name: curve[-1][1] for name, curve in curves.items()}
    last |= {name: value for name, value in state.log_history[-1].items() if name.startswith(("train_", "total_"))}
    skipped = f", {state.skipped_steps} steps left out (the loss was no number)" if state.skipped_steps else ""
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Training report</title><style>"
        "body{font:14px system-ui,sans-serif;margin:2em;max-width:1000px;color:#111}svg{margin:4px}"
        "table{border-collapse:collapse;margin:1em 0}td{padding:2px 12px 2px 0;border-bottom:1px solid #ddd}"
        "text{font:11px system-ui,sans-serif;fill:#444}</style>"
        f"<h1>{html.escape(model)}</h1><p>{state.global_step} of {state.max_steps} steps, epoch {state.epoch:.2f}"
        f"{skipped}.</p>{figures}<h2>At the end</h2>{_table(last)}"
        f"<details><summary>Arguments</summary>{_table(arguments)}</details></html>"
    )


def _curves(history: Sequence[dict[str, Any]]) -> dict[str, Curve]:
    curves: dict[str, Curve] = {}
    for line in history:
        for name, value in line.items():
            number = isinstance(value, int | float) and math.isfinite(value)
            if number and name not in _LEFT_OUT and not name.startswith("train_") and not _is_speed(name):
                curves.setdefault(name, []).append((line["step"], float(value)))
    return curves


def _is_speed(name: str) -> bool:
    return name.endswith(("_runtime", "_samples_per_second", "_steps_per_second"))


def _figure(curves: Sequence[tuple[str, Curve]]) -> str:
    points = [point for _, curve in curves for point in curve]
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    low, high = min(y for _, y in points), max(y for _, y in points)
    across, up = (right - left) or 1.0, (high - low) or 1.0

    def place(x: float, y: float) -> str:
        return (
            f"{_EDGE + (x - left) / across * (_WIDTH - _EDGE - 10):.1f},"
            f"{_HEIGHT - 30 - (y - low) / up * (_HEIGHT - 60):.1f}"
        )

    lines = []
    for number, (name, curve) in enumerate(curves):
        colour = _COLOURS[number]
        path = " ".join(place(x, y) for x, y in curve)
        lines.append(f'<polyline fill=none stroke="{colour}" stroke-width=1.5 points="{path}"/>')
        lines += [f'<circle r=2 fill="{colour}" cx={place(*curve[-1]).replace(",", " cy=")} />']
        lines.append(f'<text x={_EDGE + number * 120} y=16 style="fill:{colour}">{html.escape(name)}</text>')
    axes = (
        f'<path fill=none stroke="#ddd" d="M{_EDGE},30V{_HEIGHT - 30}H{_WIDTH - 10}"/>'
        f"<text x=2 y={_HEIGHT - 28}>{low:.4g}</text><text x=2 y=34>{high:.4g}</text>"
        f"<text x={_EDGE} y={_HEIGHT - 10}>{left:g}</text><text x={_WIDTH - 60} y={_HEIGHT - 10}>step {right:g}</text>"
    )
    return f"<svg width={_WIDTH} height={_HEIGHT} role=img>{axes}{''.join(lines)}</svg>"


def _table(values: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(name)}<td>{html.escape(json.dumps(value, default=str))}"
        for name, value in values.items()
    )
    return f"<table>{rows}</table>"
