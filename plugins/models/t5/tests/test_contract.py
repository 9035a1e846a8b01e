"""T5 keeps the model contract."""

from modelry_testing import ModelContract


class TestT5(ModelContract):
    model_type = "t5"
    impossible = ({"feed_forward_proj": "half-gelu"}, {"relative_attention_max_distance": 4}, {"pad_token_id": 96})
