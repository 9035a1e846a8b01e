"""What the registry reads: Donut's image encoder and processor."""

from modelry_registry import ModelFamily, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="donut-swin",
            config="modelry_donut_swin.configuration:DonutSwinConfig",
            heads={
                "base": "modelry_donut_swin.modeling:DonutSwinModel",
                "image-classification": "modelry_donut_swin.modeling:DonutSwinForImageClassification",
            },
            preprocessors={
                "processor": "modelry_donut_swin.processing:DonutProcessor",
                "image-processor": "modelry.preprocessing.image_processor:ImageProcessor",
            },
            modalities=("image",),
            released="2021-11-30",
            papers=("https://arxiv.org/abs/2111.15664",),
            tiny={
                "model_type": "donut-swin",
                "image_size": [24, 16],
                "patch_size": 2,
                "embed_dim": 8,
                "depths": [2, 2],
                "num_heads": [2, 4],
                "window_size": 4,
                "mlp_ratio": 2.0,
            },
        )
    )
