"""What a LayoutLMv3 config.json may say."""

from typing import Any

import pytest

from modelry.errors import ConfigError
from modelry_layoutlmv3 import LayoutLMv3Config


def test_defaults_are_those_of_layoutlmv3_base() -> None:
    config = LayoutLMv3Config()
    assert (config.vocab_size, config.hidden_size, config.grid, config.pad_token_id) == (50265, 768, 14, 1)
    assert (config.rel_2d_pos_bins, config.max_2d_position_embeddings, config.layer_norm_eps) == (64, 1024, 1e-5)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hidden_size": 770}, "hidden_size 770 is not a multiple of num_attention_heads 12"),
        ({"coordinate_size": 100}, "4 x coordinate_size 100 and 2 x shape_size 128 are 656 values"),
        ({"pad_token_id": 600}, "pad_token_id 600 is outside .* a table of 512 positions"),
        ({"input_size": 8}, "input_size 8 is smaller than patch_size 16"),
        ({"text_embed": False, "visual_embed": False}, "the model would read nothing"),
        ({"max_rel_pos": 8}, "max_rel_pos 8 leaves no distances for the far half of 32 rel_pos_bins"),
        ({"rel_2d_pos_bins": 2}, "rel_2d_pos_bins is 2"),
        ({"hidden_act": "slu"}, "hidden_act is 'slu'"),
    ],
)
def test_impossible_values(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LayoutLMv3Config(**values)
