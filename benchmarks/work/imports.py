"""CPU time and memory of a statement in a fresh interpreter."""

import sys
import time
from collections.abc import Callable

from benchmarks.work.resident import resident_bytes
from benchmarks.worker import SIDES, Result

STATEMENTS = {
    "import": "import {library}",
    "config": "from {library} import AutoConfig; AutoConfig.from_pretrained({folder!r})",
    "tokenizer": "from {library} import AutoTokenizer; AutoTokenizer.from_pretrained({folder!r})",
    "pipeline": "from {library} import pipeline",
}


def prepare(side: str, statement: str, folder: str) -> Callable[[], Result]:
    """Of one of STATEMENTS."""
    code = STATEMENTS[statement].format(library=SIDES[side], folder=folder)

    def measure() -> Result:
        cpu, before = time.process_time(), resident_bytes("VmRSS")
        exec(code, {})
        return {
            "cpu_seconds": time.process_time() - cpu,
            "megabytes": (resident_bytes("VmHWM") - before) / 1e6,
            "torch": "torch" in sys.modules,
        }

    return measure
