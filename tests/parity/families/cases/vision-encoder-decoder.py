"""Image encoders and text decoders as one model: unlike widths, decoders of mBART, BART, TrOCR and Donut."""

from typing import Any

HEADS = {"image-text-to-text": "VisionEncoderDecoderModel"}
VIT: dict[str, Any] = {
    "model_type": "vit",
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 32,
    "image_size": 16,
    "patch_size": 8,
    "initializer_range": 0.2,
}
MBART: dict[str, Any] = {
    "model_type": "mbart",
    "vocab_size": 80,
    "d_model": 24,
    **dict.fromkeys(("encoder_layers", "decoder_layers"), 2),
    **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 4),
    "decoder_ffn_dim": 32,
    "max_position_embeddings": 40,
    "init_std": 0.2,
    "is_decoder": True,
    "is_encoder_decoder": False,
}
TROCR: dict[str, Any] = {
    "model_type": "trocr",
    "vocab_size": 80,
    "d_model": 16,
    "decoder_layers": 2,
    "decoder_attention_heads": 4,
    "decoder_ffn_dim": 32,
    "max_position_embeddings": 40,
    "init_std": 0.2,
}
DONUT: dict[str, Any] = {
    "model_type": "donut-swin",
    "image_size": [20, 12],
    "patch_size": 2,
    "embed_dim": 8,
    "depths": [2, 2],
    "num_heads": [2, 4],
    "window_size": 3,
    "mlp_ratio": 2.0,
    "initializer_range": 0.2,
}
DONUT_TEXT: dict[str, Any] = {"d_model": 16, "scale_embedding": True, "add_final_layer_norm": True}
PAIRS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "mbart": ({}, {}),
    "widths": ({}, {"d_model": 16, "scale_embedding": True}),
    "bart": ({"qkv_bias": False}, {"model_type": "bart", "activation_function": "relu"}),
    "untied": ({"image_size": 24}, {"tie_word_embeddings": False, "d_model": 32}),
    "trocr": ({"qkv_bias": False}, {**TROCR, "cross_attention_hidden_size": 24, "scale_embedding": True}),
    "deit": ({"model_type": "deit"}, {**TROCR, "layernorm_embedding": False, "activation_function": "relu"}),
    "donut": (DONUT, DONUT_TEXT),
    "donut-relu": ({**DONUT, "hidden_act": "relu", "qkv_bias": False}, {**DONUT_TEXT, "activation_function": "relu"}),
    "donut-widths": ({**DONUT, "embed_dim": 12}, {**DONUT_TEXT, "scale_embedding": False}),
    "donut-untied": (
        {**DONUT, "depths": [1, 2, 1], "num_heads": [1, 2, 2], "image_size": [26, 22]},
        {"tie_word_embeddings": False},
    ),
}


def inputs(config: Any, head: str) -> dict[str, Any]:
    """Pictures and the beginnings of texts about them."""
    import torch

    random = torch.Generator().manual_seed(1)
    size = config.encoder.image_size
    height, width = (size, size) if isinstance(size, int) else size
    return {
        "pixel_values": torch.randn(2, 3, height, width, generator=random),
        "decoder_input_ids": torch.randint(3, 80, (2, 7), generator=random),
    }


def labels(config: Any, head: str) -> dict[str, Any]:
    """A text of as many tokens."""
    import torch

    return {"labels": torch.arange(14).reshape(2, 7).masked_fill(torch.eye(2, 7) > 0, -100)}


CASES = [
    {
        "name": name,
        "config": {
            "model_type": "vision-encoder-decoder",
            "encoder": encoder if encoder.get("model_type") == "donut-swin" else {**VIT, **encoder},
            "decoder": decoder if decoder.get("model_type") == "trocr" else {**MBART, **decoder},
            "decoder_start_token_id": 2,
            "pad_token_id": 1,
        },
        "heads": HEADS,
        "inputs": inputs,
        "labels": labels,
        "generate": True,
    }
    for name, (encoder, decoder) in PAIRS.items()
]
