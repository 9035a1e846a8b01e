"""Measure all sides in turn, then write docs/benchmarks: a page, plots as PNG and SVG, and the numbers as JSON.

python -m benchmarks                     everything, three quarters of an hour
python -m benchmarks --only engines      one part, repeatable; the others keep their last numbers
python -m benchmarks --draw              no measuring: page and plots from the numbers that are there
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from benchmarks.alternating import say
from benchmarks.machine import describe_machine
from benchmarks.parts import PARTS
from benchmarks.report import write_page
from benchmarks.weights import REPOSITORY, prepare
from benchmarks.worker import THREADS

OUTPUT = REPOSITORY / "docs/benchmarks"
RUNS = 5


def read(numbers: Path) -> dict[str, Any]:
    """What was measured so far."""
    found: dict[str, Any] = json.loads(numbers.read_text()) if numbers.is_file() else {}
    return found


def keep(numbers: Path, **measured: Any) -> None:
    """Add numbers to those of the other parts, as they are by now: somebody else may have measured meanwhile."""
    results = read(numbers) | measured
    numbers.parent.mkdir(parents=True, exist_ok=True)
    numbers.write_text(json.dumps(results, indent=1) + "\n")


def write(results: dict[str, Any], folder: Path) -> None:
    """Page and plots of every part that has numbers."""
    for name, part in PARTS.items():
        if part.draw is not None and name in results:
            part.draw(results[name], folder)
    write_page(results, folder / "README.md")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", choices=PARTS, action="append", help="repeatable")
    parser.add_argument("--draw", action="store_true", help="measure nothing")
    parser.add_argument("--runs", type=int, default=RUNS, help="measurements of each side")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()

    numbers, failed = arguments.output / "results.json", []
    if not arguments.draw:
        prepare()
        conditions = {**describe_machine(), "threads": THREADS}
        for name in arguments.only or PARTS:
            started = time.monotonic()
            try:
                measured = dict(PARTS[name].measure(arguments.runs))
            except SystemExit as error:  # the other parts are worth their numbers
                say(f"{name}: {error}")
                failed.append(name)
                continue
            machines = {**read(numbers).get("machines", {}), name: conditions["processor"]}
            keep(numbers, **{name: measured, "conditions": conditions, "machines": machines})
            say(f"{name}: {time.monotonic() - started:.0f} s")
    write(read(numbers), arguments.output)
    print((arguments.output / "README.md").read_text())
    say(f"written to {arguments.output}")
    if failed:
        raise SystemExit(f"not measured, see above: {', '.join(failed)}")


if __name__ == "__main__":
    main()
