"""What the registry reads: the ConvNeXT family."""

from modelry_registry import ModelFamily, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="convnext",
            config="modelry_convnext.configuration:ConvNextConfig",
            heads={
                "base": "modelry_convnext.modeling:ConvNextModel",
                "image-classification": "modelry_convnext.modeling:ConvNextForImageClassification",
                "backbone": "modelry_convnext.modeling:ConvNextBackbone",
            },
            preprocessors={"image-processor": "modelry.preprocessing.image_processor:ImageProcessor"},
            modalities=("image",),
            released="2022-01-10",
            papers=("https://arxiv.org/abs/2201.03545",),
            tiny={
                "model_type": "convnext",
                "image_size": 32,
                "patch_size": 4,
                "hidden_sizes": [8, 12, 16],
                "depths": [1, 2, 1],
                "num_stages": 3,
                "layer_scale_init_value": 0.1,
                "out_indices": [1, 3],
            },
        )
    )
