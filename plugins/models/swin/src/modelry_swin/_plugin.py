"""What the registry reads: the Swin Transformer family."""

from modelry_registry import ModelFamily, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="swin",
            config="modelry_swin.configuration:SwinConfig",
            heads={
                "base": "modelry_swin.modeling:SwinModel",
                "image-classification": "modelry_swin.modeling:SwinForImageClassification",
                "masked-image-modeling": "modelry_swin.modeling:SwinForMaskedImageModeling",
                "backbone": "modelry_swin.modeling:SwinBackbone",
            },
            preprocessors={"image-processor": "modelry.preprocessing.image_processor:ImageProcessor"},
            modalities=("image",),
            released="2021-03-25",
            papers=("https://arxiv.org/abs/2103.14030", "https://arxiv.org/abs/2111.09886"),
            tiny={
                "model_type": "swin",
                "image_size": [24, 16],
                "patch_size": 2,
                "embed_dim": 8,
                "depths": [2, 2],
                "num_heads": [2, 4],
                "window_size": 4,
                "mlp_ratio": 2.0,
                "encoder_stride": 4,
                "out_indices": [1, 2],
            },
        )
    )
