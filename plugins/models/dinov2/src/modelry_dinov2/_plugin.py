"""What the registry reads: the DINOv2 family."""

from modelry_registry import ModelFamily, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="dinov2",
            config="modelry_dinov2.configuration:Dinov2Config",
            heads={
                "base": "modelry_dinov2.modeling:Dinov2Model",
                "image-classification": "modelry_dinov2.modeling:Dinov2ForImageClassification",
                "backbone": "modelry_dinov2.modeling:Dinov2Backbone",
            },
            preprocessors={"image-processor": "modelry.preprocessing.image_processor:ImageProcessor"},
            modalities=("image",),
            released="2023-04-14",
            papers=("https://arxiv.org/abs/2304.07193",),
            tiny={
                "model_type": "dinov2",
                "hidden_size": 32,
                "mlp_ratio": 2,
                "num_hidden_layers": 3,
                "num_attention_heads": 4,
                "image_size": [16, 24],
                "patch_size": 8,
                "layerscale_value": 0.5,
                "out_indices": [1, 3],
            },
        )
    )
