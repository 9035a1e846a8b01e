"""Measure both sides in turn, then write docs/benchmarks: a page, plots as PNG and SVG, and the numbers as JSON.

python -m benchmarks                     everything, a few minutes
python -m benchmarks --only generate     one of generate, memory, gguf, imports; the others keep their last numbers
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine
from benchmarks.plots import draw
from benchmarks.report import write_page
from benchmarks.side import REPOSITORY, Side
from benchmarks.worker import NEW_TOKENS, PROMPT_TOKENS, SIDES, STATEMENTS, THREADS

GGUF = REPOSITORY / ".cache/models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
FOLDERS = REPOSITORY / ".cache/benchmarks"
OUTPUT = REPOSITORY / "docs/benchmarks"
DTYPES = ("bfloat16", "float32")
RUNS, SLOW_RUNS = 5, 3

Runs = dict[str, list[dict[str, Any]]]


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


def prepare() -> None:
    """SmolLM2 as safetensors folders of both dtypes, made from the GGUF file once."""
    if not GGUF.is_file():
        raise SystemExit(f"{GGUF} is not there. Run: make models")
    for dtype in DTYPES:
        folder = FOLDERS / f"smollm2-{dtype}"
        if (folder / "tokenizer.json").is_file():
            continue
        say(f"writing {folder.relative_to(REPOSITORY)}")
        from modelry import AutoModelForCausalLM, AutoTokenizer

        AutoModelForCausalLM.from_pretrained(GGUF, dtype=dtype).save_pretrained(folder)
        AutoTokenizer.from_pretrained(GGUF).save_pretrained(folder)


def alternate(title: str, runs: int, work: str, *arguments: str, fresh: bool) -> Runs:
    """Measure both sides in turn, `runs` times each.

    Args:
        fresh: a new process for every measurement, where the first one is what counts; else one process a side.
    """
    results: Runs = {side: [] for side in SIDES}
    with ExitStack() as stack:
        lasting = {} if fresh else {side: stack.enter_context(Side(side, work, *arguments)) for side in SIDES}
        for number in range(1, runs + 1):
            for side, library in SIDES.items():
                if fresh:
                    with Side(side, work, *arguments) as process:
                        result = process.measure()
                else:
                    result = lasting[side].measure()
                results[side].append(result)
                shown = ", ".join(f"{key} {value:.4g}" for key, value in result.items() if isinstance(value, float))
                say(f"{title:<22} {number}/{runs}  {library:<12} {shown}")
    return results


def summarise(runs: Runs) -> dict[str, Any]:
    """The median of every number, for each side."""
    return {
        side: {
            key: statistics.median(run[key] for run in measured)
            for key, value in measured[0].items()
            if isinstance(value, (int, float)) and not isinstance(value, bool)
        }
        for side, measured in runs.items()
    }


def measure_generate(runs: int) -> Iterator[tuple[str, Any]]:
    for dtype in DTYPES:
        found = alternate(f"generate {dtype}", runs, "generate", str(FOLDERS / f"smollm2-{dtype}"), dtype, fresh=False)
        ours, theirs = (found[side][0]["tokens"] for side in SIDES)
        equal = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b), NEW_TOKENS)
        yield dtype, {"median": summarise(found), "equal_tokens": equal, "runs": found}


def measure_memory(runs: int) -> Iterator[tuple[str, Any]]:
    found = alternate("memory", runs, "memory", str(FOLDERS / "smollm2-float32"), fresh=True)
    yield "float32", {"median": summarise(found), "runs": found}


def measure_gguf(runs: int) -> Iterator[tuple[str, Any]]:
    found = alternate("gguf", min(runs, SLOW_RUNS), "gguf", str(GGUF), fresh=True)
    yield "float32", {"median": summarise(found), "runs": found}


def measure_imports(runs: int) -> Iterator[tuple[str, Any]]:
    for statement in STATEMENTS:
        folder = str(FOLDERS / "smollm2-float32")
        found = alternate(f"imports {statement}", runs, "imports", statement, folder, fresh=True)
        imported = {side: measured[0]["torch"] for side, measured in found.items()}
        yield statement, {"median": summarise(found), "torch_imported": imported, "runs": found}


WORK: dict[str, Callable[[int], Iterator[tuple[str, Any]]]] = {
    "generate": measure_generate,
    "memory": measure_memory,
    "gguf": measure_gguf,
    "imports": measure_imports,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", choices=WORK, action="append", help="repeatable")
    parser.add_argument("--runs", type=int, default=RUNS, help="measurements of each side")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()

    started = time.monotonic()
    prepare()
    numbers = arguments.output / "results.json"
    results: dict[str, Any] = json.loads(numbers.read_text()) if numbers.is_file() else {}
    for name in arguments.only or WORK:
        results[name] = dict(WORK[name](arguments.runs))
    results["conditions"] = {
        **describe_machine(),
        "threads": THREADS,
        "prompt_tokens": PROMPT_TOKENS,
        "new_tokens": NEW_TOKENS,
        "runs": arguments.runs,
    }
    arguments.output.mkdir(parents=True, exist_ok=True)
    numbers.write_text(json.dumps(results, indent=1) + "\n")
    if set(WORK) <= results.keys():
        draw(results, arguments.output)
        write_page(results, arguments.output / "README.md")
        print((arguments.output / "README.md").read_text())
    say(f"done in {time.monotonic() - started:.0f} s; written to {arguments.output}")


if __name__ == "__main__":
    main()
