"""One side of a measurement, in a process of its own: a line of standard input asks, a line of JSON answers.

python -m benchmarks.worker SIDE WORK [ARGUMENT…]

WORK is a module of benchmarks.work, whose `prepare(SIDE, ARGUMENT…)` returns the function that measures. A question is
a JSON list: the arguments of that function. Nothing heavy is imported here: imports are one of the things measured.
"""

import contextlib
import importlib
import json
import os
import sys
from typing import Any

SIDES = {"ours": "modelry", "theirs": "transformers", "llama": "llama.cpp"}
THREADS = int(os.environ.get("OMP_NUM_THREADS", "2"))

Result = dict[str, Any]


def hide_torchao() -> None:
    """The peer imports torchao wherever it is installed, as it is for our tests; nothing measured here uses it."""
    sys.modules["torchao"] = None  # type: ignore[assignment]  # an import of it then fails, as Python documents


def main() -> None:
    hide_torchao()
    side, work, *arguments = sys.argv[1:]
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        measure = importlib.import_module(f"benchmarks.work.{work}").prepare(side, *arguments)
        print(json.dumps({"ready": True}), file=answers, flush=True)
        for question in iter(sys.stdin.readline, ""):
            print(json.dumps(measure(*json.loads(question))), file=answers, flush=True)


if __name__ == "__main__":
    main()
