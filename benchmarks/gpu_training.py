"""What share of a GPU's arithmetic a training step uses: a Llama of 1.5 billion random parameters, by the Trainer.

python -m benchmarks.gpu_training                on CUDA: bf16, 8 rows of 2,048 tokens, eager and compiled
python -m benchmarks.gpu_training --size tiny    anywhere, to see it work; says nothing about speed
python -m benchmarks.gpu_training --output DIR   also writes gpu_training.json there

Model flops utilisation (Chowdhery et al. 2022, PaLM, appendix B): what the model's products need, not what recomputing
adds, over what the processor can do in that time. A weight is used in two operations for each token and in four more on
the way back; attention needs 12 H E T for each token and layer, as if every token saw all T. The limits are the data
sheet's dense bfloat16, where it is known here, and what a large product reaches on this device.
"""

import argparse
import json
import statistics
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu_decode import SIZES, finish, random_llama
from modelry import Trainer, TrainerCallback, TrainingArguments
from modelry_llama import LlamaConfig, LlamaForCausalLM

SHEETS = {
    "H200": 989e12,
    "H100": 989e12,
    "GH200": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
    "B200": 2250e12,
}
"""Part of a device's name to dense bfloat16 operations a second of its SXM form, by NVIDIA's data sheets."""
WARM_UP = 3


def product_speed(device: torch.device, *, size: int) -> float:
    """Operations a second of a product of two square matrices in bfloat16; the best of ten."""
    a, b = (torch.randn(size, size, dtype=torch.bfloat16, device=device) for _ in range(2))
    times = []
    for _ in range(10):
        started = finish(device)
        a @ b
        times.append(finish(device) - started)
    return 2.0 * size**3 / min(times)


def sheet_speed(name: str) -> float | None:
    """Operations a second by the data sheet; of the longest name that fits."""
    fitting = [one for one in SHEETS if one in name]
    return SHEETS[max(fitting, key=len)] if fitting else None


def flops_of_token(config: LlamaConfig, *, length: int) -> int:
    """What one token of a row of `length` needs, forward and backward. Looking up an embedding needs nothing."""
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    looked_up = 0 if config.tie_word_embeddings else model.get_input_embeddings().weight.numel()
    weights = sum(one.numel() for one in model.parameters()) - looked_up
    attention = 12 * config.num_hidden_layers * config.num_attention_heads * config.head_dim * length
    return int(6 * weights + attention)


class Clock(TrainerCallback):
    """Notes when steps ended on the device."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.times = device, list[float]()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.times.append(finish(self.device))


class Fed(Trainer):
    """Learns one batch again and again: nothing is read or collated."""

    batch: dict[str, torch.Tensor]
    times = 0

    def get_train_dataloader(self) -> Any:
        return [self.batch] * self.times


def step_seconds(model: Any, ids: torch.Tensor, *, steps: int, **values: Any) -> dict[str, Any]:
    """Seconds of the step in the middle, after some that warm up; the peak of the device's memory; the losses.

    Args:
        ids: (rows, length).
        values: further training arguments.
    """
    clock = Clock(ids.device)
    with tempfile.TemporaryDirectory() as folder:
        quiet = {"save_strategy": "no", "report_to": "none", "report_html": False, "disable_tqdm": True}
        arguments = TrainingArguments(
            folder,
            max_steps=WARM_UP + steps,
            learning_rate=1e-4,
            logging_steps=1,
            bf16=True,
            use_cpu=ids.device.type == "cpu",
            **quiet,
            **values,
        )
        trainer = Fed(model, arguments, callbacks=[clock])
        trainer.batch, trainer.times = {"input_ids": ids, "labels": ids}, WARM_UP + steps
        started = finish(ids.device)
        trainer.train()
    times = [after - before for before, after in pairwise(clock.times[WARM_UP - 1 :])]
    peak = torch.cuda.max_memory_allocated(ids.device) if ids.device.type == "cuda" else 0
    return {
        "first_seconds": clock.times[0] - started,
        "step_seconds": statistics.median(times),
        "all": times,
        "peak_bytes": peak,
        "losses": [line["loss"] for line in trainer.state.log_history if "loss" in line],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu_training", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--size", choices=SIZES, default="1b")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--attention", default="sdpa", help="an attn_implementation: sdpa, flash_attention_2, flex …")
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--length", type=int, default=2048, help="tokens of a row")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--output", type=Path, default=None, help="folder for gpu_training.json")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    if arguments.size != "tiny" and device.type == "cpu":
        raise SystemExit(
            "a step of a billion parameters takes minutes on a CPU: use --size tiny, or a machine with CUDA"
        )

    ids = torch.randint(0, SIZES[arguments.size]["vocab_size"], (arguments.rows, arguments.length), device=device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    limits = {"product": product_speed(device, size=8192 if device.type == "cuda" else 256)}
    sheet = sheet_speed(name)
    if sheet is not None:
        limits["data sheet"] = sheet
    results: dict[str, Any] = {
        "device": name,
        "torch": torch.__version__,
        "attention": arguments.attention,
        "tokens": ids.numel(),
        "limits": limits,
    }
    print(f"{name}: {ids.numel()} tokens a step; a product runs at {limits['product'] / 1e12:.3g} TFLOP/s")
    for way in ("eager", "compiled"):
        model = random_llama(arguments.size, device=device, dtype=torch.float32)
        model.set_attn_implementation(arguments.attention)
        needed = ids.numel() * flops_of_token(model.config, length=arguments.length)
        found = step_seconds(model, ids, steps=arguments.steps, torch_compile=way == "compiled")
        speed = needed / found["step_seconds"]
        shares = {limit: speed / value for limit, value in limits.items()}
        results[way] = {**found, "flops_of_step": needed, "flops_a_second": speed, "shares": shares}
        tokens = ids.numel() / found["step_seconds"]
        print(
            f"{way:<9} first step {found['first_seconds']:.1f} s, then {tokens:,.0f} tokens/s, "
            f"peak {found['peak_bytes'] / 1e9:.1f} GB, {speed / 1e12:.3g} TFLOP/s: "
            + ", ".join(f"{share:.1%} of the {limit}" for limit, share in shares.items())
        )
    if arguments.output is not None:
        arguments.output.mkdir(parents=True, exist_ok=True)
        (arguments.output / "gpu_training.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
