"""What the registry reads: the Depth Anything family."""

from modelry_registry import ModelFamily, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="depth_anything",
            config="modelry_depth_anything.configuration:DepthAnythingConfig",
            heads={"depth-estimation": "modelry_depth_anything.modeling:DepthAnythingForDepthEstimation"},
            preprocessors={"image-processor": "modelry.preprocessing.image_processor:ImageProcessor"},
            modalities=("image",),
            released="2024-01-19",
            papers=("https://arxiv.org/abs/2401.10891", "https://arxiv.org/abs/2406.09414"),
            tiny={
                "model_type": "depth_anything",
                "backbone_config": {
                    "model_type": "dinov2",
                    "hidden_size": 16,
                    "mlp_ratio": 2,
                    "num_hidden_layers": 4,
                    "num_attention_heads": 2,
                    "image_size": [16, 24],
                    "patch_size": 8,
                    "out_indices": [1, 2, 3, 4],
                    "reshape_hidden_states": False,
                },
                "patch_size": 8,
                "reassemble_hidden_size": 16,
                "neck_hidden_sizes": [4, 6, 8, 8],
                "fusion_hidden_size": 8,
                "head_hidden_size": 4,
            },
        )
    )
