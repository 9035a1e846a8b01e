"""What the registry reads: the Vision Transformer family."""

from modelry_registry import ModelFamily, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="vit",
            config="modelry_vit.configuration:ViTConfig",
            heads={
                "base": "modelry_vit.modeling:ViTModel",
                "image-classification": "modelry_vit.modeling:ViTForImageClassification",
                "masked-image-modeling": "modelry_vit.modeling:ViTForMaskedImageModeling",
            },
            preprocessors={"image-processor": "modelry.preprocessing.image_processor:ImageProcessor"},
            modalities=("image",),
            released="2020-10-22",
            papers=("https://arxiv.org/abs/2010.11929",),
            tiny={
                "model_type": "vit",
                "hidden_size": 32,
                "intermediate_size": 48,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "image_size": [16, 24],
                "patch_size": 8,
                "encoder_stride": 8,
            },
        )
    )
