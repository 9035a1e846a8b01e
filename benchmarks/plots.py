"""Bars side by side and lines over a size, as PNG and SVG."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
matplotlib.rcParams["svg.hashsalt"] = "modelry"  # equal numbers give an equal file

from matplotlib import pyplot as plt  # noqa: E402  after matplotlib is told to draw without a screen
from matplotlib.axes import Axes  # noqa: E402  after matplotlib is told to draw without a screen
from matplotlib.ticker import NullLocator  # noqa: E402  after matplotlib is told to draw without a screen

NAMES = {"ours": "modelry", "theirs": "transformers", "llama": "llama.cpp"}
COLOURS = {"modelry": "#2a6f97", "transformers": "#c9a227", "llama.cpp": "#7d8597", "faster-whisper": "#5b8e7d"}
"""By the first word of a name."""


def colour(name: str) -> str:
    return COLOURS[name.split()[0]]


def bars(axes: Axes, groups: Mapping[str, Mapping[str, float]], *, title: str, unit: str, form: str) -> None:
    """One group per key, one bar per side, its value above it."""
    names = list(next(iter(groups.values())))
    width = 0.8 / len(names)
    for number, name in enumerate(names):
        offset = (number - (len(names) - 1) / 2) * width
        values = [group[name] for group in groups.values()]
        places = [i + offset for i in range(len(values))]
        drawn = axes.bar(places, values, width * 0.95, color=colour(name), label=name)
        axes.bar_label(drawn, fmt=form, padding=2, fontsize=8)
    axes.set_xticks(range(len(groups)), list(groups))
    _dress(axes, title, unit)
    axes.margins(y=0.15)


def ranking(axes: Axes, values: Mapping[str, float], *, title: str, unit: str, form: str) -> None:
    """One horizontal bar per name, the first on top."""
    names = list(values)
    drawn = axes.barh(names, list(values.values()), color=[colour(name) for name in names])
    axes.bar_label(drawn, fmt=form, padding=2, fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    _dress(axes, title, "")
    axes.set_xlabel(unit)


def lines(axes: Axes, sizes: Sequence[int], series: Mapping[str, Sequence[float]], *, title: str, unit: str) -> None:
    """A line per name over sizes that double or so."""
    for name, values in series.items():
        dashes = "--" if "4 bit" in name else "-"
        axes.plot(sizes, values, dashes, marker="o", markersize=3, color=colour(name), label=name)
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(bottom=0)
    _dress(axes, title, unit)


def _dress(axes: Axes, title: str, unit: str) -> None:
    axes.set_title(title, fontsize=10)
    axes.set_ylabel(unit)
    axes.spines[["top", "right"]].set_visible(False)


def column(entries: Mapping[str, Any], key: str) -> dict[str, dict[str, float]]:
    """Name of a case to the medians of all sides."""
    return {
        name: {NAMES[side]: median[key] for side, median in entry["median"].items()} for name, entry in entries.items()
    }


def one_panel(width: float = 7) -> Any:
    """A figure and its axes."""
    return plt.subplots(figsize=(width, 3), layout="constrained")


def two_panels(width: float = 8) -> Any:
    """A figure and its two axes."""
    return plt.subplots(1, 2, figsize=(width, 3.4), layout="constrained")


def legend(figure: Any, axes: Axes) -> None:
    """The names of the sides above all panels."""
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=len(names), frameon=False)


def save(figure: Any, folder: Path, name: str) -> None:
    """As NAME.png and NAME.svg."""
    figure.savefig(folder / f"{name}.png", dpi=150, metadata={"Software": None})
    figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
    plt.close(figure)
