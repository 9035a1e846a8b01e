"""What a decoder keeps of each token until its gradient is known, by arithmetic on its configuration.

D width of the residual stream   H query heads   K key/value heads   E head width   F width inside an MLP
X experts, of which a token runs through C   T processes that share each layer's work

In bytes of a token, with c for a number in products and s for one of the residual stream:

    norms       2 (s + c) D        each norm's input, and its output, which the projections keep
    attention   (c (2 H + 2 K) E + 4 H) / T          queries, keys, values, the result; sums of exponentials
                c (H + K) E / T more where each head is normalised
    MLP         4 c F / T          gate, up, what opens the gate, their product
    mixture     4 c C F / T + 3 c C D + 4 X + (24 + c) C      the same for C experts, what they read and say; the router
                4 C + 4 more where shares are normalised
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelry.nn.decoder_config import RotaryDecoderConfig

if TYPE_CHECKING:
    from modelry.configuration import ModelConfig
    from modelry_trainer.scale.ways import Way


@dataclass(frozen=True)
class Kept:
    """Bytes of a token."""

    layer: int
    """Of one layer that keeps its activations."""
    entrance: int
    """Of one layer that computes them again: the residual stream where it begins."""
    outside: int
    """Of what comes before and after all layers."""


def kept(config: "ModelConfig", way: "Way") -> Kept | None:
    """What is kept of each token; None where the model is no decoder of the kind described above."""
    if not isinstance(config, RotaryDecoderConfig):
        return None
    width, c = config.hidden_size, way.compute
    stream = c if way.shard > 1 else 4  # autocast leaves what is no product in float32
    heads, head = config.num_attention_heads, config.head_dim
    kv_heads = max(config.num_key_value_heads // way.tensor, 1)
    both = heads // way.tensor + kv_heads
    normalised = any("q_norm" in pattern for pattern in config.tp_plan)
    attention = c * both * head * (3 if normalised else 2) + 4 * heads // way.tensor
    experts = getattr(config, "num_experts", None) or getattr(config, "num_local_experts", None)
    if experts is None:
        mlp = 4 * c * config.intermediate_size // way.tensor
    else:
        inner = getattr(config, "moe_intermediate_size", config.intermediate_size)
        chosen: int = config.num_experts_per_tok  # type: ignore[attr-defined]  # every mixture's
        mlp = c * (4 * chosen * inner // way.tensor + 3 * chosen * width) + 4 * experts + (24 + c) * chosen
        mlp += 4 * chosen + 4 if getattr(config, "norm_topk_prob", True) else 0
    return Kept(2 * (stream + c) * width + attention + mlp, stream * width, (stream + 2 * c) * width)
