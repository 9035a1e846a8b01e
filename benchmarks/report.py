"""The page docs/benchmarks/README.md: whether the goals were met, then a section for each question."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.goals import summary
from benchmarks.parts import PARTS


def page(results: dict[str, Any]) -> Iterator[str]:
    """Lines of Markdown."""
    conditions, machines = results["conditions"], results.get("machines", {})
    sections = {name: part.section(results[name]) for name, part in PARTS.items() if name in results}
    yield "# Benchmarks"
    yield ""
    yield (
        f"Modelry {conditions['modelry']} beside transformers {conditions['transformers']} and llama.cpp "
        f"(llama-cpp-python {conditions['llama_cpp_python']}), written by `make bench` on {conditions['day']}. "
        f"{conditions['processor']}, {conditions['cores']} cores, {conditions['system']}; "
        f"{conditions['threads']} threads, torch {conditions['torch']}, Python {conditions['python']}. "
        "Each side has a process of its own; the sides are measured in turn. Medians; "
        "on a shared machine only the ratios mean something. A ratio is modelry's figure over the other one, and "
        "single runs are the ratios of runs that followed each other. All runs: [results.json](results.json)."
    )
    yield ""
    yield f"**{summary([row for section in sections.values() for row in section.rows])}**"
    yield ""
    for name, section in sections.items():
        title, *lines = section.lines()
        yield title
        if machines.get(name) != conditions["processor"]:
            yield ""
            yield f"*Measured on another machine: {machines.get(name, 'not recorded')}.*"
        yield from lines


def write_page(results: dict[str, Any], path: Path) -> None:
    """Write the page."""
    path.write_text("\n".join(page(results)).rstrip() + "\n", encoding="utf-8")
