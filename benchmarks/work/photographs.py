"""Photographs made ready for a vision transformer."""

import itertools
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from benchmarks.weights import REPOSITORY
from benchmarks.work.library import library
from benchmarks.worker import Result

FOLDER = REPOSITORY / ".cache/photographs"
COUNT = 256
CONFIG = {
    "image_processor_type": "ViTImageProcessor",
    "do_resize": True,
    "size": {"height": 224, "width": 224},
    "resample": 2,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}


def photographs() -> list[Image.Image]:
    """COUNT pictures in memory, in RGB: those of the folder, again and again.

    Raises:
        SystemExit: the folder is not there.
    """
    files = sorted(FOLDER.glob("*.*"))
    if not files:
        raise SystemExit(f"{FOLDER} holds no photographs. Run: make models")
    opened = [Image.open(file).convert("RGB") for file in files]
    return list(itertools.islice(itertools.cycle(opened), COUNT))


def prepare(side: str, kind: str) -> Callable[[], Result]:
    """Of all photographs in one call.

    Args:
        kind: "pictures" for Pillow's, "arrays" for (height, width, 3) bytes.
    """
    module = library(side)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "preprocessor_config.json").write_text(json.dumps(CONFIG))
        Path(folder, "config.json").write_text(json.dumps({"model_type": "vit"}))
        processor = module.AutoImageProcessor.from_pretrained(folder)
    images = photographs()
    if kind == "arrays":
        import numpy as np

        images = [np.asarray(image) for image in images]

    def measure() -> Result:
        started = time.perf_counter()
        pixels = processor(images=images, return_tensors="pt")["pixel_values"]
        seconds = time.perf_counter() - started
        assert pixels.shape == (COUNT, 3, 224, 224)
        return {"photographs_per_second": COUNT / seconds, "mean": float(pixels.mean())}

    measure()  # the first run pays for thread pools and allocations
    return measure
