"""What the registry reads: the SigLIP family, and each of its two sides alone."""

from modelry_registry import ModelFamily, Registrar, hookimpl

RELEASED, PAPERS = "2023-03-27", ("https://arxiv.org/abs/2303.15343",)
TEXT = {
    "model_type": "siglip_text_model",
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 24,
    "projection_size": 32,
}
VISION = {
    "model_type": "siglip_vision_model",
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": [16, 24],
    "patch_size": 8,
}
TOKENIZER = "modelry.preprocessing.tokenizer:Tokenizer"
IMAGE_PROCESSOR = "modelry.preprocessing.image_processor:ImageProcessor"


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="siglip",
            config="modelry_siglip.configuration:SiglipConfig",
            heads={
                "base": "modelry_siglip.modeling:SiglipModel",
                "zero-shot-image-classification": "modelry_siglip.modeling:SiglipModel",
                "image-classification": "modelry_siglip.modeling:SiglipForImageClassification",
            },
            preprocessors={
                "processor": "modelry_siglip.processing:SiglipProcessor",
                "tokenizer": TOKENIZER,
                "image-processor": IMAGE_PROCESSOR,
            },
            modalities=("image", "text"),
            released=RELEASED,
            papers=PAPERS,
            tiny={"model_type": "siglip", "text_config": TEXT, "vision_config": VISION},
        )
    )
    registrar.model(
        ModelFamily(
            model_type="siglip_text_model",
            config="modelry_siglip.configuration:SiglipTextConfig",
            heads={
                "base": "modelry_siglip.towers:SiglipTextModel",
            },
            preprocessors={"tokenizer": TOKENIZER},
            modalities=("text",),
            released=RELEASED,
            papers=PAPERS,
            tiny=TEXT,
        )
    )
    registrar.model(
        ModelFamily(
            model_type="siglip_vision_model",
            config="modelry_siglip.configuration:SiglipVisionConfig",
            heads={
                "base": "modelry_siglip.towers:SiglipVisionModel",
            },
            preprocessors={"image-processor": IMAGE_PROCESSOR},
            modalities=("image",),
            released=RELEASED,
            papers=PAPERS,
            tiny=VISION,
        )
    )
