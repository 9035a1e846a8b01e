"""Tokenizer and float32 model from one GGUF file, imports not counted."""

import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.work.library import library
from benchmarks.worker import Result


def prepare(side: str, path: str) -> Callable[[], Result]:
    """Of the file at `path`."""
    import torch

    module = library(side)
    file = Path(path)
    arguments = {"gguf_file": file.name}

    def measure() -> Result:
        wall, cpu = time.perf_counter(), time.process_time()
        module.AutoTokenizer.from_pretrained(file.parent, **arguments)
        model = module.AutoModelForCausalLM.from_pretrained(file.parent, dtype=torch.float32, **arguments)
        assert not any(parameter.is_meta for parameter in model.parameters())
        return {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}

    return measure
