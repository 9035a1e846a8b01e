"""One side of a measurement, in a process of its own: a line of standard input asks, a line of JSON answers.

python -m benchmarks.worker SIDE WORK [ARGUMENT…]
"""

import contextlib
import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SIDES = {"ours": "modelry", "theirs": "transformers"}
PROMPT_TOKENS, NEW_TOKENS, THREADS = 512, 64, 2

Result = dict[str, Any]


def resident_bytes(field: str) -> int:
    """VmRSS (now) or VmHWM (the peak) of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"/proc/self/status has no {field}: this measurement needs Linux")


def library(side: str) -> Any:
    """The side's module, with two threads and no chatter."""
    import torch

    torch.set_num_threads(THREADS)
    module = importlib.import_module(SIDES[side])
    if side == "theirs":
        module.utils.logging.set_verbosity_error()
        module.utils.logging.disable_progress_bar()
    return module


class Clock:
    """A streamer that notes when tokens come: first the prompt, then one call a token."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def put(self, value: Any) -> None:
        self.times.append(time.perf_counter())

    def end(self) -> None:
        """Nothing is held back."""


def generate(side: str, folder: str, dtype: str) -> Callable[[], Result]:
    """Greedy generation, batch 1: prefill is the call until the first token, decode from the first to the last."""
    import torch

    model = library(side).AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(100, 40_000, (1, PROMPT_TOKENS), generator=generator)

    def measure() -> Result:
        clock = Clock()
        started = time.perf_counter()
        out = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=NEW_TOKENS,
            min_new_tokens=NEW_TOKENS,
            do_sample=False,
            streamer=clock,
        )
        times = clock.times[1:]
        assert len(times) == NEW_TOKENS, f"{len(times)} tokens were streamed"
        return {
            "prefill_tokens_per_second": PROMPT_TOKENS / (times[0] - started),
            "decode_tokens_per_second": (NEW_TOKENS - 1) / (times[-1] - times[0]),
            "tokens": out[0, PROMPT_TOKENS:].tolist(),
        }

    measure()  # the first run pays for thread pools and allocations
    return measure


def memory(side: str, folder: str) -> Callable[[], Result]:
    """How far the peak of resident memory rises: after loading, and after every weight was used once."""
    import torch

    model_class = library(side).AutoModelForCausalLM
    size = sum(path.stat().st_size for path in Path(folder).glob("*.safetensors"))

    def measure() -> Result:
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before, started = resident_bytes("VmRSS"), time.perf_counter()
        model = model_class.from_pretrained(folder, dtype=torch.float32).eval()
        seconds, loaded = time.perf_counter() - started, resident_bytes("VmHWM") - before
        with torch.inference_mode():
            model(torch.arange(4)[None])
        used = resident_bytes("VmHWM") - before
        return {"load_ratio": loaded / size, "use_ratio": used / size, "load_seconds": seconds, "bytes": size}

    return measure


def gguf(side: str, path: str) -> Callable[[], Result]:
    """Tokenizer and float32 model from one GGUF file, imports not counted."""
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


STATEMENTS = {
    "import": "import {library}",
    "config": "from {library} import AutoConfig; AutoConfig.from_pretrained({folder!r})",
    "tokenizer": "from {library} import AutoTokenizer; AutoTokenizer.from_pretrained({folder!r})",
    "pipeline": "from {library} import pipeline",
}


def imports(side: str, statement: str, folder: str) -> Callable[[], Result]:
    """CPU time and memory of a statement in a fresh interpreter."""
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


WORK: dict[str, Callable[..., Callable[[], Result]]] = {
    "generate": generate,
    "memory": memory,
    "gguf": gguf,
    "imports": imports,
}


def main() -> None:
    side, work, *arguments = sys.argv[1:]
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        measure = WORK[work](side, *arguments)
        print(json.dumps({"ready": True}), file=answers, flush=True)
        for _ in iter(sys.stdin.readline, ""):
            print(json.dumps(measure()), file=answers, flush=True)


if __name__ == "__main__":
    main()
