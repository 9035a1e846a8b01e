"""What the registry reads: the VideoMAE family."""

from modelry_registry import ModelFamily, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="videomae",
            config="modelry_videomae.configuration:VideoMAEConfig",
            heads={
                "base": "modelry_videomae.modeling:VideoMAEModel",
                "video-classification": "modelry_videomae.modeling:VideoMAEForVideoClassification",
                "pretraining": "modelry_videomae.pretraining:VideoMAEForPreTraining",
            },
            preprocessors={"video-processor": "modelry.preprocessing.video_processor:VideoProcessor"},
            modalities=("video",),
            released="2022-03-23",
            papers=("https://arxiv.org/abs/2203.12602",),
            tiny={
                "model_type": "videomae",
                "hidden_size": 32,
                "intermediate_size": 48,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "image_size": [16, 24],
                "patch_size": 8,
                "num_frames": 4,
                "tubelet_size": 2,
                "decoder_hidden_size": 24,
                "decoder_intermediate_size": 32,
                "decoder_num_hidden_layers": 1,
                "decoder_num_attention_heads": 3,
            },
        )
    )
