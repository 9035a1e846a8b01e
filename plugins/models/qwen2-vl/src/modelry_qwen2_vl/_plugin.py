"""What the registry reads: the Qwen2-VL family, and its language model alone."""

from modelry_registry import ModelFamily, Registrar, hookimpl

RELEASED, PAPERS = "2024-08-29", ("https://arxiv.org/abs/2409.12191",)
TEXT = {
    "model_type": "qwen2_vl_text",
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]},
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
VISION = {
    "model_type": "qwen2_vl_vision",
    "depth": 2,
    "embed_dim": 24,
    "hidden_size": 32,
    "num_heads": 3,
    "mlp_ratio": 2,
    "patch_size": 4,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
}


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="qwen2_vl",
            config="modelry_qwen2_vl.configuration:Qwen2VLConfig",
            heads={
                "base": "modelry_qwen2_vl.modeling:Qwen2VLModel",
                "image-text-to-text": "modelry_qwen2_vl.modeling:Qwen2VLForConditionalGeneration",
                "multimodal-lm": "modelry_qwen2_vl.modeling:Qwen2VLForConditionalGeneration",
            },
            preprocessors={
                "processor": "modelry_qwen2_vl.processing:Qwen2VLProcessor",
                "tokenizer": "modelry.preprocessing.tokenizer:Tokenizer",
                "image-processor": "modelry_qwen2_vl.image_processing:Qwen2VLImageProcessor",
                "video-processor": "modelry_qwen2_vl.video_processing:Qwen2VLVideoProcessor",
            },
            modalities=("image", "text", "video"),
            released=RELEASED,
            papers=PAPERS,
            tiny={
                "model_type": "qwen2_vl",
                "text_config": TEXT,
                "vision_config": VISION,
                "image_token_id": 90,
                "video_token_id": 91,
                "vision_start_token_id": 92,
                "vision_end_token_id": 93,
            },
        )
    )
    registrar.model(
        ModelFamily(
            model_type="qwen2_vl_text",
            config="modelry_qwen2_vl.configuration:Qwen2VLTextConfig",
            heads={"base": "modelry_qwen2_vl.text:Qwen2VLTextModel"},
            preprocessors={"tokenizer": "modelry.preprocessing.tokenizer:Tokenizer"},
            modalities=("text",),
            released=RELEASED,
            papers=PAPERS,
            tiny=TEXT,
        )
    )
