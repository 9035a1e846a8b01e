"""How far the peak of resident memory rises: after loading, and after every weight was used once."""

import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.work.library import library
from benchmarks.work.resident import resident_bytes
from benchmarks.worker import Result


def prepare(side: str, folder: str) -> Callable[[], Result]:
    """Of a float32 checkpoint."""
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
