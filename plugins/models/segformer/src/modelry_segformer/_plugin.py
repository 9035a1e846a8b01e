"""What the registry reads: the SegFormer family."""

from modelry_registry import ModelFamily, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="segformer",
            config="modelry_segformer.configuration:SegformerConfig",
            heads={
                "base": "modelry_segformer.modeling:SegformerModel",
                "image-classification": "modelry_segformer.modeling:SegformerForImageClassification",
                "semantic-segmentation": "modelry_segformer.modeling:SegformerForSemanticSegmentation",
            },
            preprocessors={"image-processor": "modelry.preprocessing.image_processor:ImageProcessor"},
            modalities=("image",),
            released="2021-05-31",
            papers=("https://arxiv.org/abs/2105.15203",),
            tiny={
                "model_type": "segformer",
                "num_encoder_blocks": 2,
                "depths": [1, 2],
                "sr_ratios": [2, 1],
                "hidden_sizes": [8, 16],
                "patch_sizes": [7, 3],
                "strides": [4, 2],
                "num_attention_heads": [1, 2],
                "mlp_ratios": [2, 2],
                "decoder_hidden_size": 16,
            },
        )
    )
