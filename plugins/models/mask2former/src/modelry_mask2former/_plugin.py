"""What the registry reads: the Mask2Former family."""

from modelry_registry import ModelFamily, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="mask2former",
            config="modelry_mask2former.configuration:Mask2FormerConfig",
            heads={
                "base": "modelry_mask2former.modeling:Mask2FormerModel",
                "universal-segmentation": "modelry_mask2former.modeling:Mask2FormerForUniversalSegmentation",
            },
            preprocessors={"image-processor": "modelry.preprocessing.image_processor:ImageProcessor"},
            modalities=("image",),
            released="2021-12-02",
            papers=("https://arxiv.org/abs/2112.01527", "https://arxiv.org/abs/2010.04159"),
            tiny={
                "model_type": "mask2former",
                "backbone_config": {
                    "model_type": "swin",
                    "image_size": [32, 48],
                    "patch_size": 2,
                    "embed_dim": 8,
                    "depths": [1, 1, 1, 1],
                    "num_heads": [2, 2, 2, 2],
                    "window_size": 4,
                    "mlp_ratio": 2.0,
                    "out_features": ["stage1", "stage2", "stage3", "stage4"],
                },
                "feature_size": 32,
                "mask_feature_size": 8,
                "hidden_dim": 16,
                "encoder_feedforward_dim": 16,
                "dim_feedforward": 16,
                "encoder_layers": 1,
                "decoder_layers": 4,
                "num_attention_heads": 2,
                "num_queries": 5,
                "train_num_points": 24,
            },
        )
    )
