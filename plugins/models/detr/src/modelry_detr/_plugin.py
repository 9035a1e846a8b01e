"""What the registry reads: the DETR family."""

from modelry_registry import ModelFamily, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="detr",
            config="modelry_detr.configuration:DetrConfig",
            heads={
                "base": "modelry_detr.modeling:DetrModel",
                "object-detection": "modelry_detr.detection:DetrForObjectDetection",
                "image-segmentation": "modelry_detr.segmentation:DetrForSegmentation",
                "universal-segmentation": "modelry_detr.segmentation:DetrForSegmentation",
            },
            preprocessors={"image-processor": "modelry.preprocessing.image_processor:ImageProcessor"},
            modalities=("image",),
            released="2020-05-26",
            papers=("https://arxiv.org/abs/2005.12872",),
            tiny={
                "model_type": "detr",
                "backbone_config": {
                    "model_type": "resnet",
                    "embedding_size": 4,
                    "hidden_sizes": [4, 8, 8, 12],
                    "depths": [1, 1, 1, 1],
                    "out_indices": [1, 2, 3, 4],
                },
                "use_timm_backbone": False,
                "d_model": 32,
                "num_queries": 5,
                "encoder_layers": 2,
                "encoder_attention_heads": 8,
                "encoder_ffn_dim": 24,
                "decoder_layers": 2,
                "decoder_attention_heads": 4,
                "decoder_ffn_dim": 20,
            },
        )
    )
