"""Where one decode step of SmolLM2 goes: products with weights, attention, other operations, and Python around them.

python -m benchmarks.step [bfloat16] [float32] [int8] [int4] [gguf]    all but gguf by default
python -m benchmarks.step gguf --context 4000 --batch 8 --operations 20

One step of generate() is recorded, operation by operation with its tensors; each group of operations is then run again
alone. "Python" is what is left of the whole step: the interpreter, and the dispatch that a tight loop does not have.
Every figure is the fastest of its repetitions, so that a busy machine disturbs the least; see --threads there.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.weights import LOADED_AS, load

Operation = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]

PRODUCTS = ("linear", "mm", "addmm", "mv", "addmv", "mkldnn_linear")
ATTENTION = ("bmm", "baddbmm", "softmax", "_softmax", "_embedding_bag", "scaled_dot_product", "_scaled_dot_product")
STEPS, AGAIN, WARM = 40, 15, 8


class Recorder(TorchDispatchMode):
    """Keeps every operation with its arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[Operation] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.operations.append((func, args, kwargs or {}))
        return func(*args, **(kwargs or {}))


class Watch:
    """A streamer that notes when tokens come, and records what happens between two of them after all timing is done."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder, self.times = recorder, [0.0]

    def put(self, value: Any) -> None:
        self.times.append(time.perf_counter())
        if len(self.times) == STEPS + WARM:
            self.recorder.__enter__()
        elif len(self.times) == STEPS + WARM + 1:
            self.recorder.__exit__(None, None, None)

    def end(self) -> None:
        """Nothing is held back."""


def group_of(operation: Operation) -> str:
    """products, attention or other."""
    name = operation[0].__name__.partition(".")[0]
    if name in PRODUCTS or "pack_mm" in name:
        return "products with weights"
    return "attention" if name.startswith(ATTENTION) else "other operations"


def microseconds(operations: list[Operation]) -> float:
    """Of running them one after the other."""
    found = []
    for _ in range(AGAIN):
        start = time.perf_counter()
        for function, args, kwargs in operations:
            function(*args, **kwargs)
        found.append((time.perf_counter() - start) * 1e6)
    return min(found)


def show(weights: str, context: int, batch: int, shown: int) -> None:
    """Print the parts of one step."""
    model = load(weights)
    ids = torch.randint(100, 40_000, (batch, context), generator=torch.Generator().manual_seed(0))
    recorder = Recorder()
    watch = Watch(recorder)
    length = {"max_new_tokens": STEPS + WARM, "min_new_tokens": STEPS + WARM}
    model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, streamer=watch, **length)
    times = watch.times[WARM : STEPS + WARM]
    whole = min(b - a for a, b in pairwise(times)) * 1e6
    groups: dict[str, list[Operation]] = defaultdict(list)
    kinds: dict[str, list[Operation]] = defaultdict(list)
    for operation in recorder.operations:
        groups[group_of(operation)].append(operation)
        kinds[operation[0].__name__].append(operation)
    print(f"{weights}, context {context}, batch {batch}: {whole:.0f} µs a step, {batch * 1e6 / whole:.0f} tokens/s")
    with torch.inference_mode():
        left = whole
        for name in ("products with weights", "attention", "other operations"):
            taken = microseconds(groups[name])
            left -= taken
            print(f"  {name:<24}{taken:8.0f} µs {taken / whole:6.0%} {len(groups[name]):6} operations")
        print(f"  {'Python':<24}{left:8.0f} µs {left / whole:6.0%}")
        alone = sorted(((microseconds(some), name) for name, some in kinds.items()), reverse=True) if shown else []
        for taken, name in alone[:shown]:
            print(f"    {name:<44}{taken:8.0f} µs {len(kinds[name]):6}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("weights", nargs="*", metavar="WEIGHTS", help=", ".join(LOADED_AS))
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--operations", type=int, default=0, help="how many kinds of operations to name")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for weights in arguments.weights or ("bfloat16", "float32", "int8", "int4"):
        show(weights, arguments.context, arguments.batch, arguments.operations)


if __name__ == "__main__":
    main()
