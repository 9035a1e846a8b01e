"""Whisper: sizes of either side, weighted layers, untied words, positions of one's own, other activations."""

from typing import Any

import torch
from torch import Tensor

SOUND = {"base": "WhisperModel", "speech-seq2seq": "WhisperForConditionalGeneration"}
CLASSIFIER = {"audio-classification": "WhisperForAudioClassification"}
HEADS = {**SOUND, **CLASSIFIER}
ALONE = {"causal-lm": "WhisperForCausalLM"}
PLAIN: dict[str, Any] = {
    "model_type": "whisper",
    "vocab_size": 60,
    "d_model": 32,
    "num_mel_bins": 16,
    "encoder_layers": 2,
    "encoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_layers": 3,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 40,
    "max_source_positions": 20,
    "max_target_positions": 24,
    "classifier_proj_size": 16,
    "num_labels": 5,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 3,
    "begin_suppress_tokens": None,
    "init_std": 0.2,
}
LENGTHS = (9, 6, 4)


def sound(config: Any, head: str) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(3, config.num_mel_bins, 2 * config.max_source_positions, generator=generator)
    if head == "audio-classification":
        return {"input_features": features}
    ids = torch.randint(4, config.vocab_size, (3, max(LENGTHS)), generator=generator)
    return {"input_features": features, "decoder_input_ids": ids}


def padded_words(config: Any, head: str) -> dict[str, Tensor]:
    inputs = sound(config, head)
    mask = (torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]).long()
    return {**inputs, "decoder_attention_mask": mask} if "decoder_input_ids" in inputs else inputs


def own_positions(config: Any, head: str) -> dict[str, Tensor]:
    places = torch.arange(max(LENGTHS)).expand(3, -1) + torch.tensor([[0], [3], [7]])
    return {**sound(config, head), "decoder_position_ids": places}


def text(config: Any, head: str) -> dict[str, Tensor]:
    return {"input_ids": sound(config, "base")["decoder_input_ids"]}


def heard(config: Any, head: str) -> dict[str, Any]:
    """What a decoder alone reads, over an encoder's output."""
    inputs = sound(config, "base")
    states = torch.randn(3, 11, config.d_model, generator=torch.Generator().manual_seed(2))
    return {"input_ids": inputs["decoder_input_ids"], "encoder_outputs": (states,)}


def labels(config: Any, head: str) -> dict[str, Tensor]:
    if head == "audio-classification":
        return {"labels": torch.tensor([0, 4, 2])}
    if head == "base":
        return {}
    words = torch.randint(4, config.vocab_size, (3, max(LENGTHS)), generator=torch.Generator().manual_seed(3))
    words[torch.arange(max(LENGTHS)) >= torch.tensor(LENGTHS)[:, None]] = -100
    return {"labels": words}


def case(name: str, inputs: Any = sound, heads: dict[str, str] = HEADS, **changes: Any) -> dict[str, Any]:
    shared = {"inputs": inputs, "labels": labels, "tolerance": 1e-4}
    return {"name": name, "config": {**PLAIN, **changes}, "heads": heads, **shared}


CASES = [
    case("plain"),
    case("weighted-untied", use_weighted_layer_sum=True, tie_word_embeddings=False, activation_function="relu"),
    case("padded-words", padded_words, SOUND, decoder_layers=1, encoder_layers=3, activation_function="silu"),
    case("own-positions", own_positions, SOUND, num_mel_bins=20, max_source_positions=15),
    case("alone", text, ALONE, max_target_positions=32),
    case("alone-over-an-encoder", heard, ALONE, decoder_attention_heads=8),
]
