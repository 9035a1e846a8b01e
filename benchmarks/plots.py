"""Bars side by side, as PNG and SVG."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
matplotlib.rcParams["svg.hashsalt"] = "modelry"  # equal numbers give an equal file

from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402

COLOURS = {"ours": "#2a6f97", "theirs": "#c9a227"}
NAMES = {"ours": "modelry", "theirs": "transformers"}


def bars(axes: Axes, groups: dict[str, dict[str, float]], *, title: str, unit: str, form: str) -> None:
    """One group per key, one bar per side, its value above it."""
    for offset, side in ((-0.2, "ours"), (0.2, "theirs")):
        values = [group[side] for group in groups.values()]
        drawn = axes.bar([i + offset for i in range(len(values))], values, 0.38, color=COLOURS[side], label=NAMES[side])
        axes.bar_label(drawn, fmt=form, padding=2, fontsize=8)
    axes.set_xticks(range(len(groups)), list(groups))
    axes.set_ylabel(unit)
    axes.set_title(title, fontsize=10)
    axes.margins(y=0.15)
    axes.spines[["top", "right"]].set_visible(False)


def column(entries: dict[str, Any], key: str) -> dict[str, dict[str, float]]:
    """Group name to the medians of both sides."""
    return {name: {side: entry["median"][side][key] for side in COLOURS} for name, entry in entries.items()}


def legend(figure: Any, axes: Axes) -> None:
    """The names of the sides above all bars."""
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=len(COLOURS), frameon=False)


def save(figure: Any, folder: Path, name: str) -> None:
    figure.savefig(folder / f"{name}.png", dpi=150, metadata={"Software": None})
    figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
    plt.close(figure)


def draw(results: dict[str, Any], folder: Path) -> None:
    """generate.png/.svg and imports.png/.svg."""
    figure, (prefill, decode) = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
    entries = results["generate"]
    bars(prefill, column(entries, "prefill_tokens_per_second"), title="prefill", unit="tokens/s", form="%.0f")
    bars(decode, column(entries, "decode_tokens_per_second"), title="decode", unit="tokens/s", form="%.0f")
    legend(figure, prefill)
    save(figure, folder, "generate")

    figure, (seconds, megabytes) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    entries = results["imports"]
    bars(seconds, column(entries, "cpu_seconds"), title="CPU time in a fresh interpreter", unit="seconds", form="%.2f")
    bars(megabytes, column(entries, "megabytes"), title="memory in a fresh interpreter", unit="MB", form="%.0f")
    legend(figure, seconds)
    save(figure, folder, "imports")
