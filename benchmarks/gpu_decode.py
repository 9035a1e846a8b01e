"""How near decoding comes to the memory's speed: a Llama of 8 billion random parameters, batch 1, eager and compiled.

python -m benchmarks.gpu_decode                  on CUDA: bfloat16, prompt 512, 128 new tokens
python -m benchmarks.gpu_decode --size tiny      anywhere, to see it work; says nothing about speed
python -m benchmarks.gpu_decode --output DIR     also writes gpu_decode.json there

A step has to read every weight but the embedding's, and the cache. What is read, divided by the step's time, is held
against two limits: what the device's data sheet says, where torch knows it, and what a plain copy reaches here.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import torch

from modelry_llama import LlamaConfig, LlamaForCausalLM

SIZES: dict[str, dict[str, int]] = {
    "8b": {
        "vocab_size": 128_256,
        "hidden_size": 4096,
        "intermediate_size": 14_336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "max_position_embeddings": 8192,
    },
    "1b": {
        "vocab_size": 128_256,
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "max_position_embeddings": 8192,
    },
    "tiny": {
        "vocab_size": 512,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 8192,
    },
}
GOAL = 0.7
"""Share of the memory's bandwidth that a compiled step is to reach."""


def random_llama(size: str, *, device: torch.device, dtype: torch.dtype) -> LlamaForCausalLM:
    """Made where it runs and in its dtype, so that no other memory is needed."""
    with torch.device("meta"):
        model = LlamaForCausalLM(LlamaConfig(**SIZES[size], tie_word_embeddings=False))
    model.cast_parameters(dtype)
    model.to_empty(device=device)
    generator = torch.Generator(device).manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.02, generator=generator)
    return model.eval()


def finish(device: torch.device) -> float:
    """The time when the device has nothing left to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def copy_speed(device: torch.device, *, size: int) -> float:
    """Bytes a second, read and written, of a plain copy; the best of ten."""
    source = torch.ones(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    times = []
    for _ in range(10):
        started = finish(device)
        target.copy_(source)
        times.append(finish(device) - started)
    return 2 * size / min(times)


def sheet_speed(device: torch.device) -> float | None:
    """Bytes a second of the data sheet, where torch knows it: two transfers for each tick of the memory's clock."""
    if device.type != "cuda":
        return None
    properties = torch.cuda.get_device_properties(device)
    clock, width = getattr(properties, "memory_clock_rate", None), getattr(properties, "memory_bus_width", None)
    return None if not clock or not width else 2 * clock * 1000 * width / 8


def step_seconds(model: LlamaForCausalLM, ids: torch.Tensor, *, new: int, runs: int, compiled: bool) -> dict[str, Any]:
    """Median seconds of a step: of `new` more tokens than one, divided by them. Compiling is timed apart."""

    def seconds(count: int) -> float:
        started = finish(ids.device)
        model.generate(
            ids, max_new_tokens=count, eos_token_id=None, max_cache_len=room, cache="static", compile=compiled
        )
        return finish(ids.device) - started

    room = ids.shape[1] + new + 1
    first = seconds(3)
    for _ in range(2):  # a recorded step is recorded in its second run
        seconds(4)
    times = [(seconds(new + 1) - seconds(1)) / new for _ in range(runs)]
    return {"first_seconds": first, "step_seconds": statistics.median(times), "all": times}


def bytes_of_step(model: LlamaForCausalLM, *, room: int) -> int:
    """What one step reads: all weights but the rows of the embedding, and the room of the cache."""
    weights = sum(one.nbytes for one in model.parameters()) - model.get_input_embeddings().weight.nbytes
    config = model.config
    cache = 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim * room * model.dtype.itemsize
    return int(weights + cache)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu_decode", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--size", choices=SIZES, default="8b")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=("bfloat16", "float16", "float32"), default="bfloat16")
    parser.add_argument("--prompt", type=int, default=512, help="tokens")
    parser.add_argument("--new", type=int, default=128, help="tokens")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--output", type=Path, default=None, help="folder for gpu_decode.json")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    if arguments.size == "8b" and device.type == "cpu":
        raise SystemExit("8 billion parameters on a CPU take hours: use --size tiny, or a machine with CUDA")

    model = random_llama(arguments.size, device=device, dtype=getattr(torch, arguments.dtype))
    ids = torch.randint(0, SIZES[arguments.size]["vocab_size"], (1, arguments.prompt), device=device)
    reads = bytes_of_step(model, room=arguments.prompt + arguments.new + 1)
    limits = {"copy": copy_speed(device, size=1 << (31 if device.type == "cuda" else 26))}
    sheet = sheet_speed(device)
    if sheet is not None:
        limits["data sheet"] = sheet
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    results: dict[str, Any] = {"device": name, "torch": torch.__version__, "bytes_of_step": reads, "limits": limits}
    print(f"{name}: {reads / 1e9:.3f} GB a step; a copy runs at {limits['copy'] / 1e9:.0f} GB/s")
    for way in ("eager", "compiled"):
        found = step_seconds(model, ids, new=arguments.new, runs=arguments.runs, compiled=way == "compiled")
        speed = reads / found["step_seconds"]
        shares = {limit: speed / value for limit, value in limits.items()}
        results[way] = {**found, "bytes_a_second": speed, "shares": shares}
        print(
            f"{way:<9} first call {found['first_seconds']:.1f} s, then {1 / found['step_seconds']:.1f} tokens/s, "
            f"{speed / 1e9:.0f} GB/s: " + ", ".join(f"{share:.0%} of the {limit}" for limit, share in shares.items())
        )
    limit = "data sheet" if "data sheet" in limits else "copy"
    reached = results["compiled"]["shares"][limit] >= GOAL
    print(f"goal, {GOAL:.0%} of the {limit}: {'reached' if reached else 'not reached'}")
    if arguments.output is not None:
        arguments.output.mkdir(parents=True, exist_ok=True)
        (arguments.output / "gpu_decode.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
