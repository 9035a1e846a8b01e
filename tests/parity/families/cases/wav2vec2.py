"""Wav2Vec2: norms of both kinds, both orders of norms, adapters, weighted layers, masked frames, negatives."""

from typing import Any

import torch
from torch import Tensor

HEADS = {
    "base": "Wav2Vec2Model",
    "ctc": "Wav2Vec2ForCTC",
    "audio-classification": "Wav2Vec2ForSequenceClassification",
    "audio-frame-classification": "Wav2Vec2ForAudioFrameClassification",
    "audio-xvector": "Wav2Vec2ForXVector",
    "pretraining": "Wav2Vec2ForPreTraining",
}
WITH_ADAPTER = {"base": "Wav2Vec2Model", "ctc": "Wav2Vec2ForCTC"}
PLAIN: dict[str, Any] = {
    "model_type": "wav2vec2",
    "vocab_size": 20,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "conv_dim": [16, 24, 24],
    "conv_kernel": [10, 3, 2],
    "conv_stride": [5, 2, 2],
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "num_codevectors_per_group": 8,
    "codevector_dim": 16,
    "proj_codevector_dim": 12,
    "classifier_proj_size": 16,
    "tdnn_dim": [16, 16, 24],
    "tdnn_kernel": [3, 2, 1],
    "tdnn_dilation": [1, 2, 1],
    "xvector_output_dim": 14,
    "num_labels": 5,
    "initializer_range": 0.2,
}
STABLE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
LENGTHS = (1600, 1100, 700)
KERNELS = ((10, 5), (3, 2), (2, 2))


def frames(samples: int) -> int:
    for kernel, stride in KERNELS:
        samples = (samples - kernel) // stride + 1
    return samples


def hidden_frames() -> Tensor:
    return torch.arange(3 * frames(max(LENGTHS))).reshape(3, -1) % 7 < 3


def sound(config: Any, head: str) -> dict[str, Tensor]:
    """Three padded waveforms; for pretraining, some frames hidden."""
    samples = torch.randn(3, max(LENGTHS), generator=torch.Generator().manual_seed(1))
    mask = (torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]).long()
    hidden = {"mask_time_indices": hidden_frames()} if head == "pretraining" else {}
    return {"input_values": samples * mask, "attention_mask": mask, **hidden}


def unpadded(config: Any, head: str) -> dict[str, Tensor]:
    """As models without attention mask hear: padded with zeros and not told."""
    return {name: value for name, value in sound(config, head).items() if name != "attention_mask"}


def labels(config: Any, head: str) -> dict[str, Tensor]:
    count = frames(max(LENGTHS))
    if head == "ctc":
        return {"labels": torch.tensor([[3, 4, 4, 7], [5, 6, -100, -100], [9, -100, -100, -100]])}
    if head == "pretraining":
        negatives = torch.randint(3 * count, (3, count, 6), generator=torch.Generator().manual_seed(2))
        return {"sampled_negative_indices": negatives}
    if head == "audio-frame-classification":
        kinds = torch.arange(3 * count).reshape(3, count) % config.num_labels
        return {"labels": torch.nn.functional.one_hot(kinds, config.num_labels)}
    return {} if head == "base" else {"labels": torch.tensor([0, 4, 2])}


def real(name: str, tensor: Tensor, inputs: dict[str, Tensor]) -> Tensor:
    """Without padded frames; behind an adapter, all of them."""
    count = frames(max(LENGTHS))
    if "attention_mask" not in inputs or count not in tensor.shape[1:3] or "quantized" in name:
        return tensor
    lengths = [frames(length) for length in LENGTHS]
    if tensor.dim() == 4:
        tensor = tensor.transpose(1, 2)
    return torch.cat([row[:length].flatten() for row, length in zip(tensor, lengths, strict=True)])


def case(name: str, inputs: Any = sound, heads: dict[str, str] = HEADS, **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "config": {**PLAIN, **changes},
        "heads": heads,
        "inputs": inputs,
        "labels": labels,
        "real": real,
        "tolerance": 1e-4,
    }


CASES = [
    case("group", unpadded),
    case("group-masked", hidden_act="relu", feat_extract_activation="silu", layer_norm_eps=1e-3),
    case("stable", **STABLE, ctc_loss_reduction="mean", num_conv_pos_embeddings=15),
    case(
        "stable-attention-adapter",
        **STABLE,
        adapter_attn_dim=8,
        num_codevector_groups=4,
        ctc_zero_infinity=True,
        diversity_loss_weight=0.7,
    ),
    case("weighted", feat_extract_norm="layer", use_weighted_layer_sum=True, contrastive_logits_temperature=0.5),
    case("adapter", heads=WITH_ADAPTER, add_adapter=True, num_adapter_layers=2, output_hidden_size=24),
    case("adapter-same-width", heads=WITH_ADAPTER, add_adapter=True, adapter_stride=3, num_adapter_layers=1),
    case("no-mask-embedding", heads={"base": "Wav2Vec2Model"}, mask_time_prob=0.0, apply_spec_augment=False),
]
