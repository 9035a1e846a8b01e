"""What the registry reads: an image encoder and a text decoder as one model."""

from modelry_registry import ModelFamily, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="vision-encoder-decoder",
            config="modelry_vision_encoder_decoder.configuration:VisionEncoderDecoderConfig",
            heads={"image-text-to-text": "modelry_vision_encoder_decoder.modeling:VisionEncoderDecoderModel"},
            preprocessors={
                "tokenizer": "modelry.preprocessing.tokenizer:Tokenizer",
                "image-processor": "modelry.preprocessing.image_processor:ImageProcessor",
            },
            modalities=("image", "text"),
            released="2021-10-13",
            papers=("https://arxiv.org/abs/2109.10282", "https://arxiv.org/abs/2111.15664"),
            tiny={
                "model_type": "vision-encoder-decoder",
                "decoder_start_token_id": 2,
                "pad_token_id": 1,
                "encoder": {
                    "model_type": "vit",
                    "hidden_size": 24,
                    "num_hidden_layers": 2,
                    "num_attention_heads": 3,
                    "intermediate_size": 32,
                    "image_size": 16,
                    "patch_size": 8,
                },
                "decoder": {
                    "model_type": "mbart",
                    "vocab_size": 96,
                    "d_model": 16,
                    "decoder_layers": 2,
                    "decoder_attention_heads": 4,
                    "decoder_ffn_dim": 32,
                    "max_position_embeddings": 64,
                    "dropout": 0.0,
                    "is_encoder_decoder": False,
                    "is_decoder": True,
                    "encoder_attention_heads": 4,
                },
            },
        )
    )
