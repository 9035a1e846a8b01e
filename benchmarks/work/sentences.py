"""Sentences to vectors with all-MiniLM-L6-v2."""

import random
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks.weights import REPOSITORY
from benchmarks.worker import THREADS, Result

FOLDER = REPOSITORY / ".cache/models/minilm"
COUNT, BATCH, LONGEST = 512, 32, 60
TALE = """the river runs behind an old mill where two brothers once ground wheat for every village on this side of
that hill but nobody has seen a wheel turn since their father sold his last horse and went to sea in winter"""


def sentences() -> list[str]:
    """COUNT rows of 3 to LONGEST words."""
    chance, words = random.Random(0), TALE.split()
    return [" ".join(chance.choices(words, k=chance.randint(3, LONGEST))) for _ in range(COUNT)]


def prepare(side: str) -> Callable[[], Result]:
    """Of all sentences in one call, with the defaults of both sides but the same size of a batch."""
    if not FOLDER.is_dir():
        raise SystemExit(f"{FOLDER} is not there. Run: make models")
    torch.set_num_threads(THREADS)
    texts = sentences()
    encode: Callable[[], Any]
    if side == "ours":
        from modelry import pipeline

        embed = pipeline("sentence-embedding", model=str(FOLDER), device="cpu", batch_size=BATCH)
        encode = partial(embed, texts)
    else:
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(str(FOLDER), device="cpu")
        encode = partial(model.encode, texts, batch_size=BATCH, show_progress_bar=False)

    def measure() -> Result:
        started = time.perf_counter()
        vectors = encode()
        seconds = time.perf_counter() - started
        first = np.asarray(vectors[0], dtype=np.float32).reshape(-1)
        assert len(vectors) == COUNT
        return {"sentences_per_second": COUNT / seconds, "first": first.tolist()}

    measure()  # the first run pays for thread pools and allocations
    return measure
