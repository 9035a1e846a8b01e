"""The real package flash-attn on a processor: its own functions over its Triton kernels, which Triton interprets.

Run with the package and Triton on the path and both told so (see test_real_package.py); prints, as JSON, how far models
are from sdpa, and what was called. float16, since the interpreter does not know bfloat16's arithmetic.
"""

import contextlib
import json
import sys
from collections import Counter
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from triton.runtime import driver

from modelry import AutoConfig, AutoModel, AutoModelForCausalLM
from modelry_flash_attention_2 import attending
from modelry_testing.interpreting import Driver

CALLED: Counter[str] = Counter()
SIZES: dict[str, Any] = {
    "vocab_size": 40, "hidden_size": 64, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "initializer_range": 0.2,
}  # fmt: skip
IDS = torch.randint(1, 40, (2, 9), generator=torch.Generator().manual_seed(0))
MASK = torch.tensor([[0, 0, 0, 1, 1, 1, 1, 1, 1], [1] * 9])


def prepare() -> None:
    """Let the package be imported, run on the CPU, and say what of it is called."""
    driver.set_active(Driver("hip", "gfx942", 64))
    torch.cuda.device = lambda *_: contextlib.nullcontext()
    made = torch.library.custom_op
    torch.library.custom_op = lambda name, function=None, /, *, device_types=None, **rest: made(name, function, **rest)
    import flash_attn

    for name in ("flash_attn_func", "flash_attn_varlen_func"):
        setattr(flash_attn, name, counted(name, getattr(flash_attn, name)))
    real = attending.flash_attention_2
    real.kernel = replace(real.kernel, devices=("cpu",))


def counted(name: str, function: Any) -> Any:
    def call(*tensors: Tensor, **said: Any) -> Any:
        CALLED[name] += 1
        return function(*tensors, **said)

    return call


def apart(one: Tensor, other: Tensor) -> float:
    """The largest difference, as a share of the largest value."""
    one, other = one.detach().float(), other.detach().float()
    return float((one - other).abs().max() / one.abs().max().clamp(min=1e-6))


def of_a_decoder(kind: str, **more: Any) -> dict[str, Any]:
    """Loss, logits, gradients, generated tokens and texts in one row."""
    said: list[dict[str, Any]] = []
    for backend in ("sdpa", "flash_attention_2"):
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **SIZES, **more)).half()
        model.set_attn_implementation(backend)
        labels = IDS.masked_fill(MASK == 0, -100)
        labels[0, 3] = -100  # padding would guess it
        out = model.train()(input_ids=IDS, attention_mask=MASK, labels=labels)
        out.loss.backward()
        key = model.model.layers[0].self_attn.k_proj.weight.grad
        model.eval()
        texts = [IDS[0, :4], IDS[1, :2], IDS[0, 3:]]
        positions = torch.cat([torch.arange(text.numel()) for text in texts])[None]
        wanted = {"max_new_tokens": 5, "do_sample": False, "eos_token_id": None}
        said.append(
            {
                "loss": out.loss,
                "logits": out.logits[MASK.bool()],
                "gradient": key,
                "packed": model(input_ids=torch.cat(texts)[None], position_ids=positions).logits,
                "whole": model(input_ids=IDS).logits,
                "tokens": model.generate(IDS, attention_mask=MASK, **wanted),
            }
        )
    return {name: apart(one, said[1][name]) for name, one in said[0].items()}


def of_an_encoder() -> dict[str, Any]:
    """BERT with padding on the right, whose heads have a width that no kernel computes in (12)."""
    torch.manual_seed(0)
    config = AutoConfig.for_model("bert", **{**SIZES, "hidden_size": 48})
    model = AutoModel.from_config(config).eval().half()
    read = MASK.flip(1)
    said = []
    for backend in ("sdpa", "flash_attention_2"):
        model.set_attn_implementation(backend)
        said.append(model(input_ids=IDS, attention_mask=read).last_hidden_state[read.bool()])
    return {"hidden": apart(*said)}


def of_a_window() -> str:
    """What a model is told whose window these kernels would pass over."""
    config = AutoConfig.for_model("mistral", **SIZES, num_key_value_heads=2, sliding_window=4)
    model = AutoModelForCausalLM.from_config(config).half()
    model.set_attn_implementation("flash_attention_2")
    try:
        model(input_ids=IDS)
    except ValueError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    prepare()
    said = {
        "llama": of_a_decoder("llama", num_key_value_heads=2),
        "qwen3": of_a_decoder("qwen3", num_key_value_heads=1, head_dim=32),
        "bert": of_an_encoder(),
    }
    json.dump({"apart": said, "called": CALLED, "window": of_a_window()}, sys.stdout)
