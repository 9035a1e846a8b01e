"""What the registry reads: the LLaVA family."""

from modelry_registry import ModelFamily, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="llava",
            config="modelry_llava.configuration:LlavaConfig",
            heads={
                "base": "modelry_llava.modeling:LlavaModel",
                "image-text-to-text": "modelry_llava.modeling:LlavaForConditionalGeneration",
                "multimodal-lm": "modelry_llava.modeling:LlavaForConditionalGeneration",
                "pretraining": "modelry_llava.modeling:LlavaForConditionalGeneration",
            },
            preprocessors={
                "processor": "modelry_llava.processing:LlavaProcessor",
                "tokenizer": "modelry.preprocessing.tokenizer:Tokenizer",
                "image-processor": "modelry.preprocessing.image_processor:ImageProcessor",
            },
            modalities=("image", "text"),
            released="2023-04-17",
            papers=("https://arxiv.org/abs/2304.08485", "https://arxiv.org/abs/2310.03744"),
            tiny={
                "model_type": "llava",
                "text_config": {
                    "model_type": "llama",
                    "vocab_size": 96,
                    "hidden_size": 32,
                    "intermediate_size": 48,
                    "num_hidden_layers": 2,
                    "num_attention_heads": 4,
                    "num_key_value_heads": 2,
                    "max_position_embeddings": 64,
                    "pad_token_id": 0,
                },
                "vision_config": {
                    "model_type": "clip_vision_model",
                    "hidden_size": 24,
                    "intermediate_size": 40,
                    "num_hidden_layers": 2,
                    "num_attention_heads": 3,
                    "image_size": [8, 16],
                    "patch_size": 8,
                },
                "image_token_index": 90,
                "image_seq_length": 2,
            },
        )
    )
