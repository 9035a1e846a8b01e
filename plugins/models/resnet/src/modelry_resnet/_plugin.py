"""What the registry reads: the ResNet family."""

from modelry_registry import ModelFamily, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="resnet",
            config="modelry_resnet.configuration:ResNetConfig",
            heads={
                "base": "modelry_resnet.modeling:ResNetModel",
                "image-classification": "modelry_resnet.modeling:ResNetForImageClassification",
                "backbone": "modelry_resnet.modeling:ResNetBackbone",
            },
            preprocessors={"image-processor": "modelry.preprocessing.image_processor:ImageProcessor"},
            modalities=("image",),
            released="2015-12-10",
            papers=("https://arxiv.org/abs/1512.03385",),
            tiny={
                "model_type": "resnet",
                "embedding_size": 8,
                "hidden_sizes": [16, 24],
                "depths": [2, 1],
                "out_indices": [1, 2],
            },
        )
    )
