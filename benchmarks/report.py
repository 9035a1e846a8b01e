"""The page docs/benchmarks/README.md: one table per question, medians and ratios."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

GENERATE_ROWS = (("prefill", "prefill_tokens_per_second", 1.0), ("decode", "decode_tokens_per_second", 1.5))
MEMORY_LIMIT = 1.15
STATEMENT_NAMES = {
    "import": "`import LIBRARY`",
    "config": "`AutoConfig.from_pretrained(folder)`",
    "tokenizer": "`AutoTokenizer.from_pretrained(folder)`",
    "pipeline": "`from LIBRARY import pipeline`",
}


def both(entry: dict[str, Any], key: str) -> tuple[float, float]:
    """Our median and theirs."""
    return entry["median"]["ours"][key], entry["median"]["theirs"][key]


def spread(entry: dict[str, Any], key: str) -> str:
    """The lowest and the highest ratio of runs that followed each other."""
    pairs = zip(entry["runs"]["ours"], entry["runs"]["theirs"], strict=True)
    ratios = sorted(ours[key] / theirs[key] for ours, theirs in pairs)
    return f"{ratios[0]:.2f} to {ratios[-1]:.2f}"


def page(results: dict[str, Any]) -> Iterator[str]:
    conditions = results["conditions"]
    yield "# Benchmarks"
    yield ""
    yield (
        f"Modelry {conditions['modelry']} beside transformers {conditions['transformers']}, written by `make bench` on "
        f"{conditions['day']}. {conditions['processor']}, {conditions['cores']} cores, {conditions['system']}; "
        f"{conditions['threads']} threads, torch {conditions['torch']}, Python {conditions['python']}. "
        "Each side has a process of its own; the two are measured in turn. Medians; "
        "on a shared machine only the ratios mean something. All runs: [results.json](results.json)."
    )
    yield ""
    yield "## Generating"
    yield ""
    count = len(results["generate"]["float32"]["runs"]["ours"])
    yield (
        "SmolLM2-135M-Instruct, the same safetensors folder, batch 1, greedy, "
        f"a prompt of {conditions['prompt_tokens']} tokens, {conditions['new_tokens']} new tokens, {count} runs."
    )
    yield ""
    yield "![tokens per second](generate.svg)"
    yield ""
    yield "| dtype | phase | modelry, tokens/s | transformers, tokens/s | ratio | single runs | goal |"
    yield "|---|---|---|---|---|---|---|"
    for dtype, entry in results["generate"].items():
        for phase, key, goal in GENERATE_ROWS:
            ours, theirs = both(entry, key)
            yield (
                f"| {dtype} | {phase} | {ours:.0f} | {theirs:.0f} | **{ours / theirs:.2f}** | {spread(entry, key)} "
                f"| ≥ {goal:.1f} |"
            )
    yield ""
    equal = ", ".join(f"{entry['equal_tokens']} in {dtype}" for dtype, entry in results["generate"].items())
    yield f"Of the {conditions['new_tokens']} tokens, the first {equal} are the same on both sides."
    yield ""
    yield "## Memory of loading"
    yield ""
    memory = results["memory"]["float32"]
    size = memory["median"]["ours"]["bytes"]
    yield (
        f"The float32 checkpoint of {size / 1e6:.0f} MB; how far the peak of resident memory rises, "
        f"as a multiple of that size. {len(memory['runs']['ours'])} processes each; the goal is at most {MEMORY_LIMIT}."
    )
    yield ""
    yield "| | modelry | transformers |"
    yield "|---|---|---|"
    for title, key, form in (
        ("after `from_pretrained`", "load_ratio", "{:.2f} ×"),
        ("after every weight was used once", "use_ratio", "{:.2f} ×"),
        ("time of `from_pretrained`", "load_seconds", "{:.2f} s"),
    ):
        ours, theirs = both(memory, key)
        yield f"| {title} | {form.format(ours)} | {form.format(theirs)} |"
    yield ""
    yield "## Loading a GGUF file"
    yield ""
    gguf = results["gguf"]["float32"]
    count = len(gguf["runs"]["ours"])
    yield f"Tokenizer and float32 model from the 98 MB Q4_1 file, {count} processes each, imports not counted."
    yield ""
    yield "| | modelry | transformers | ratio |"
    yield "|---|---|---|---|"
    for title, key in (("seconds", "seconds"), ("seconds of CPU", "cpu_seconds")):
        ours, theirs = both(gguf, key)
        yield f"| {title} | {ours:.2f} | {theirs:.2f} | {theirs / ours:.1f} × less |"
    yield ""
    yield "## Importing"
    yield ""
    yield "CPU time and memory of a statement in a fresh interpreter."
    yield ""
    yield "![CPU seconds](imports.svg)"
    yield ""
    yield "| statement | modelry | transformers | torch imported (modelry, transformers) |"
    yield "|---|---|---|---|"
    for statement, entry in results["imports"].items():
        cells = [
            f"{entry['median'][side]['cpu_seconds']:.2f} s, {entry['median'][side]['megabytes']:.0f} MB"
            for side in ("ours", "theirs")
        ]
        torch = ", ".join("yes" if entry["torch_imported"][side] else "no" for side in ("ours", "theirs"))
        yield f"| {STATEMENT_NAMES[statement]} | {cells[0]} | {cells[1]} | {torch} |"


def write_page(results: dict[str, Any], path: Path) -> None:
    """Write the page."""
    path.write_text("\n".join(page(results)) + "\n", encoding="utf-8")
