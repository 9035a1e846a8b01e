"""Greedy generation by each side, with the time at which every token came.

B rows   P positions of the prompt, padding included
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from benchmarks.weights import GGUF, folder, load
from benchmarks.work.library import library
from benchmarks.worker import THREADS

LLAMA_BATCH = 512
"""Prompt tokens that llama.cpp reads at once."""


class Run(NamedTuple):
    """One call."""

    started: float
    times: list[float]
    """Of each new token, the same for all rows."""
    tokens: list[list[int]]
    """New ones of each row."""

    @property
    def prefill_seconds(self) -> float:
        """From the call to the first token."""
        return self.times[0] - self.started

    @property
    def seconds(self) -> float:
        """From the call to the last token."""
        return self.times[-1] - self.started

    @property
    def decode_tokens_per_second(self) -> float:
        """Of one row, from the first new token to the last."""
        return (len(self.times) - 1) / (self.times[-1] - self.times[0])


Engine = Callable[[Tensor, Tensor, int], Run]
"""Ids (B, P), their mask and the number of new tokens to a run."""


class Clock:
    """A streamer that notes when tokens come: first the prompt, then one call a token."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def put(self, value: Any) -> None:
        self.times.append(time.perf_counter())

    def end(self) -> None:
        """Nothing is held back."""


def generating(side: str, weights: str, options: dict[str, Any]) -> Engine:
    """Ours or transformers, through generate().

    Args:
        options: further arguments of generate().
    """
    module = library(side)
    if side == "ours":
        model = load(weights)
    else:
        model = module.AutoModelForCausalLM.from_pretrained(folder(weights), dtype=getattr(torch, weights)).eval()

    def run(ids: Tensor, mask: Tensor, new: int) -> Run:
        clock = Clock()
        started = time.perf_counter()
        out = model.generate(
            ids,
            attention_mask=mask,
            max_new_tokens=new,
            min_new_tokens=new,
            do_sample=False,
            streamer=clock,
            **options,
        )
        times = clock.times[1:]
        assert len(times) == new, f"{len(times)} tokens were streamed"
        return Run(started, times, out[:, ids.shape[1] :].tolist())

    return run


def llama_cpp() -> Engine:
    """llama.cpp on the GGUF file, through the generator of its Python package. One row."""
    from llama_cpp import Llama

    library("ours")  # the same threads for torch as everywhere
    model: Any = Llama(
        str(GGUF), n_ctx=1024, n_batch=LLAMA_BATCH, n_threads=THREADS, n_threads_batch=THREADS, verbose=False
    )

    def run(ids: Tensor, mask: Tensor, new: int) -> Run:
        prompt: list[int] = ids[0].tolist()
        model.reset()  # nothing of the prompt may be remembered
        times, tokens = [], []
        started = time.perf_counter()
        for token in model.generate(prompt, temp=0.0, repeat_penalty=1.0):
            times.append(time.perf_counter())
            tokens.append(token)
            if len(tokens) == new:
                break
        return Run(started, times, [tokens])

    return run


def engine(side: str, weights: str, **options: Any) -> Engine:
    """The engine of a side with weights of a kind."""
    return llama_cpp() if side == "llama" else generating(side, weights, options)
