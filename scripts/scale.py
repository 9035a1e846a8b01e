"""Write docs/scale.md: what training models of 8, 70 and 400 billion parameters takes on each device.

python scripts/scale.py            write it
python scripts/scale.py --check    fail if it is not current
"""

import sys
from pathlib import Path
from typing import Any

from modelry_registry import get_registry, resolve
from modelry_trainer.scale.activations import kept
from modelry_trainer.scale.table import as_markdown, rows, without_weights
from modelry_trainer.scale.units import units_of
from modelry_trainer.scale.ways import Way

PAGE = Path(__file__).resolve().parents[1] / "docs" / "scale.md"
LLAMA = {"num_key_value_heads": 8, "vocab_size": 128256}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "8 B": (
        "llama",
        {**LLAMA, "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32},
    ),
    "70 B": (
        "llama",
        {**LLAMA, "hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80, "num_attention_heads": 64},
    ),
    "400 B, a mixture": (
        "qwen3_moe",
        {
            "hidden_size": 6144,
            "moe_intermediate_size": 2560,
            "num_hidden_layers": 52,
            "num_attention_heads": 96,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "vocab_size": 151936,
            "num_experts": 160,
            "num_experts_per_tok": 8,
            "norm_topk_prob": True,
        },
    ),
}
WAYS: dict[str, list[Way]] = {
    "8 B": [
        Way(),
        Way(replicate=8),
        Way(shard=8),
        Way(shard=8, recompute=False),
        Way(shard=8, offload=True),
        Way(tensor=8),
        Way(shard=64),
        Way(shard=8, replicate=8),
        Way(shard=8, tensor=8),
    ],
    "70 B": [
        Way(shard=8),
        Way(shard=8, offload=True),
        Way(tensor=8),
        Way(shard=64),
        Way(shard=8, tensor=8),
        Way(shard=8, tensor=8, recompute=False),
        Way(shard=64, replicate=8),
        Way(shard=64, tensor=8),
    ],
    "400 B, a mixture": [
        Way(shard=64),
        Way(shard=8, tensor=8),
        Way(shard=8, tensor=8, offload=True),
        Way(shard=512),
        Way(shard=64, tensor=8),
        Way(shard=32, replicate=2, tensor=8),
    ],
}
TOKENS = f"{Way().tokens:,}"
HOLDS = {
    "weights, float32": "4 P / S",
    "gradients, float32": "4 P / S",
    "AdamW's two moments": "8 P / S",
    "gathered, FSDP": "4 Po: what is outside of layers, and its gradients; and the larger of 2 Pl + 6 P1 (a layer and "
    "the next one, which is fetched while it computes; a layer's gradients before they are scattered) and 4 Po (those "
    "of what is outside of layers)",
    "gathered, copies": "2 P: autocast's weights in bfloat16",
    "activations": "n (A + s D L + (s + 4) D): A of the one layer that computes its own again (given below for each "
    "model), D for the entrance of each, the last norm",
    "activations, all kept": "n (A L + (s + 4) D)",
    "scores, tensor parallelism": "14 n V beside activations that are kept, or in place of a smaller n A: scores in "
    "bfloat16, their logarithms and two gradients in float32",
}
SENDS = {
    "FSDP, gathering": "2 P (S - 1) / S for the forward pass, and layers once more for the backward pass",
    "FSDP, gradients": "4 P (S - 1) / S",
    "R copies, gradients": "8 P / S (R - 1) / R",
    "tensor parallelism": "4 n D (T - 1) / T for each sum: two a layer forward, one when it is computed again, two "
    "backward, two for the vocabulary; 2 n V (T - 1) / T for the scores",
}


def _table(head: str, lines: dict[str, str]) -> str:
    return "\n".join([f"| | {head} |", "|---|---|", *(f"| {name} | {said} |" for name, said in lines.items())])


HEAD = f"""# Training over many devices: memory and traffic

Written by `python scripts/scale.py`; a test fails when it is not current. `modelry scale REF --devices N` prints the
same for any model with a plan. Weights are float32 and products bfloat16, the optimizer is AdamW, each group of T
devices reads {TOKENS} tokens in a pass, and layers compute their activations again in the backward pass unless said
otherwise. GB are 10^9 bytes.

Devices are R x S x T: R copies of the weights (DDP, or copies of FSDP), each copy shared by S devices (FSDP2), each
layer's work by T (tensor parallelism). `TrainingArguments` has them as
`parallelism_config={{"dp_replicate_size": R, "dp_shard_size": S, "tp_size": T}}`.

## The arithmetic

P parameters that one of T devices has, of which P1 in the largest layer, Pl in the largest two neighbouring ones and
Po outside of layers. n tokens, L layers, V the vocabulary, D the width of the residual stream, s bytes of a number in
it (2 with FSDP, else 4: autocast leaves what is no product in float32, and A is then 4 D more than below).

{_table("bytes on a device", HOLDS)}

{_table("bytes that a device sends in a step, and receives", SENDS)}

FSDP deals out rows: of a tensor with fewer rows than S some devices have none, and the first have more than 1 / S. A
mixture's stacked experts, whose rows are the experts, are dealt out along another dimension where S does not divide
them and divides that.
"""
TAIL = """
## What follows

- Up to about 8 B on eight devices: FSDP alone. Its traffic does not grow with the tokens, so a larger batch hides it.
- Tensor parallelism sends in proportion to the tokens, in the middle of every layer: keep T inside one machine. Each of
  the T devices has the scores of all positions at once, and fewer tokens a pass save most there; without it the loss
  takes a few positions at a time.
- Where S grows, what is gathered stays: two neighbouring layers at once. A mixture's layer is large (all its experts),
  so it needs T before S.
- Copies of FSDP (R > 1) send less over the slow connection between machines: gradients once, no weights.
- With CPU offload the states leave the device; each step then moves 16 P / S bytes to the CPU's memory and back.

## How it was checked

`plugins/tools/trainer/tests/scale` builds these very models on the meta device, has the trainer's own code divide them
for the first and the last way that shards, in a process group that only counts, and compares a device's weights,
gradients and moments to the byte; counts what a layer keeps for its backward pass (plain and as a mixture), and what
scores take; and adds up what a step sends.
"""


def section(name: str) -> str:
    """One model: its parameters, what its layers keep, its table."""
    model_type, values = MODELS[name]
    spec = get_registry().get("models", model_type)
    config_class: Any = resolve(spec.config)
    config = config_class(**values)
    model = without_weights(config, resolve(spec.heads["causal-lm"]))
    units = units_of(model)
    layer, rest = units.layers[0].numbers, units.rest.numbers
    way = Way(shard=2)  # s = 2
    of_token = kept(config, way)
    assert of_token is not None
    sizes = ", ".join(f"{key} {value:,}" for key, value in values.items())
    return (
        f"\n## {name}\n\n{spec.model_type}: {sizes}.\n\n"
        f"{units.numbers:,} parameters: {len(units.layers)} layers of {layer:,}, and {rest:,} outside of them. "
        f"A is {of_token.layer:,} bytes of a token (T = 1), and the entrance of a layer {of_token.entrance:,}.\n\n"
        f"{as_markdown(rows(model, WAYS[name]))}\n"
    )


def main(arguments: list[str]) -> int:
    """Write or check the page; 1 if it is not current."""
    text = HEAD + "".join(map(section, MODELS)) + TAIL
    if arguments == ["--check"]:
        return 0 if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text else 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
