"""What MambaConfig reads, fills in and refuses."""

from typing import Any

import pytest

from modelry.errors import ConfigError
from modelry_mamba import MambaConfig


def test_what_follows_from_other_values() -> None:
    config = MambaConfig()
    assert (config.inner, config.rank, config.tie_word_embeddings) == (1536, 48, True)
    assert MambaConfig(hidden_size=40, time_step_rank="auto").rank == 3
    assert MambaConfig(hidden_size=40, expand=3).inner == 120
    assert MambaConfig(hidden_size=40, intermediate_size=64, time_step_rank=7).inner == 64
    assert "layer_types" not in config.to_dict()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"conv_kernel": 0}, "conv_kernel is 0"),
        ({"time_step_rank": "some"}, "time_step_rank"),
        ({"time_step_min": 0.5}, "time_step_min 0.5 is more than time_step_max 0.1"),
        ({"hidden_act": "bend"}, "hidden_act is 'bend'"),
        ({"time_step_init_scheme": "even"}, "time_step_init_scheme is 'even'"),
    ],
)
def test_refusals(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        MambaConfig(**changes)
