"""TrOCR's decoder keeps the model contract."""

from modelry_testing import ModelContract


class TestTrOCR(ModelContract):
    model_type = "trocr"
    impossible = (
        {"decoder_attention_heads": 5},
        {"pad_token_id": 96},
        {"use_learned_position_embeddings": False, "pad_token_id": None},
        {"activation_function": "sine"},
        {"cross_attention_hidden_size": 0},
    )
    without_gradient = ("*.encoder_attn*",)  # the texts of the contract stand alone, without an encoder
