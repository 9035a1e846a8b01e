"""What the registry reads: the CLIP family, and each of its two sides alone."""

from modelry_registry import ModelFamily, Registrar, hookimpl

RELEASED, PAPERS = "2021-01-05", ("https://arxiv.org/abs/2103.00020",)
TEXT = {
    "model_type": "clip_text_model",
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 24,
    "projection_dim": 20,
    "bos_token_id": 94,
    "eos_token_id": 95,
}
VISION = {
    "model_type": "clip_vision_model",
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": [16, 24],
    "patch_size": 8,
    "projection_dim": 20,
}
TOKENIZER = "modelry.preprocessing.tokenizer:Tokenizer"
IMAGE_PROCESSOR = "modelry.preprocessing.image_processor:ImageProcessor"


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="clip",
            config="modelry_clip.configuration:CLIPConfig",
            heads={
                "base": "modelry_clip.modeling:CLIPModel",
                "zero-shot-image-classification": "modelry_clip.modeling:CLIPModel",
                "image-classification": "modelry_clip.modeling:CLIPForImageClassification",
            },
            preprocessors={
                "processor": "modelry_clip.processing:CLIPProcessor",
                "tokenizer": TOKENIZER,
                "image-processor": IMAGE_PROCESSOR,
            },
            modalities=("image", "text"),
            released=RELEASED,
            papers=PAPERS,
            tiny={"model_type": "clip", "text_config": TEXT, "vision_config": VISION, "projection_dim": 20},
        )
    )
    registrar.model(
        ModelFamily(
            model_type="clip_text_model",
            config="modelry_clip.configuration:CLIPTextConfig",
            heads={
                "base": "modelry_clip.towers:CLIPTextModel",
                "text-encoding": "modelry_clip.towers:CLIPTextModel",
                "text-projection": "modelry_clip.projections:CLIPTextModelWithProjection",
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
            model_type="clip_vision_model",
            config="modelry_clip.configuration:CLIPVisionConfig",
            heads={
                "base": "modelry_clip.towers:CLIPVisionModel",
                "image-projection": "modelry_clip.projections:CLIPVisionModelWithProjection",
            },
            preprocessors={"image-processor": IMAGE_PROCESSOR},
            modalities=("image",),
            released=RELEASED,
            papers=PAPERS,
            tiny=VISION,
        )
    )
