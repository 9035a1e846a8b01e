"""What the registry reads: the DeiT family."""

from modelry_registry import ModelFamily, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="deit",
            config="modelry_deit.configuration:DeiTConfig",
            heads={
                "base": "modelry_deit.modeling:DeiTModel",
                "image-classification": "modelry_deit.modeling:DeiTForImageClassification",
                "image-classification-with-teacher": "modelry_deit.modeling:DeiTForImageClassificationWithTeacher",
                "masked-image-modeling": "modelry_deit.modeling:DeiTForMaskedImageModeling",
            },
            preprocessors={"image-processor": "modelry.preprocessing.image_processor:ImageProcessor"},
            modalities=("image",),
            released="2020-12-23",
            papers=("https://arxiv.org/abs/2012.12877",),
            tiny={
                "model_type": "deit",
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
