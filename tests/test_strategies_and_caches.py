"""Every decoding strategy says the same whatever cache it runs on, padded or not."""

from typing import Any

import pytest
import torch

from modelry import AutoModelForCausalLM
from modelry.auto_config import AutoConfig

PROMPTS = torch.tensor([[0, 0, 11, 12, 11, 12, 11], [21, 22, 23, 24, 21, 22, 23]])
STRATEGIES: dict[str, dict[str, Any]] = {
    "greedy": {},
    "sampling": {"do_sample": True, "seed": 3, "num_return_sequences": 2},
    "beam search": {"num_beams": 3, "num_return_sequences": 2},
    "diverse beam search": {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5},
    "constrained beam search": {"num_beams": 3, "force_words_ids": [[7, 8]]},
    "contrastive search": {"penalty_alpha": 0.5, "top_k": 3},
    "dola": {"dola_layers": "low"},
    "prompt lookup": {"prompt_lookup_num_tokens": 3},
    "early exit": {"assistant_early_exit": 1},
}
CACHES: dict[str, dict[str, Any]] = {
    "static": {"cache": "static"},
    "offloaded": {"cache": "offloaded"},
    "offloaded, static": {"cache": "offloaded_static"},
    "quantized": {"cache": "quantized"},
    "quantized but the newest two": {"cache": "quantized", "cache_config": {"residual_length": 2}},
}


@pytest.fixture(scope="module")
def model() -> Any:
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "max_position_embeddings": 64}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 64}
    made = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", **sizes, **heads)).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.4)
    return made


def run(model: Any, **options: Any) -> torch.Tensor:
    found: torch.Tensor = model.generate(
        PROMPTS, attention_mask=(PROMPTS != 0).long(), max_new_tokens=10, pad_token_id=0, eos_token_id=None, **options
    )
    return found


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_same_tokens_from_every_cache(model: Any, strategy: str) -> None:
    expected = run(model, **STRATEGIES[strategy])
    for name, options in CACHES.items():
        found = run(model, **STRATEGIES[strategy], **options)
        if name == "quantized but the newest two":
            assert found.shape[0] == expected.shape[0]
            assert (found == expected).float().mean() > 0.6, name
        else:  # 64 positions stay in full precision: all of these
            assert torch.equal(found, expected), name


def test_dola_reads_a_residual_stream_that_is_wider_than_the_head() -> None:
    config = AutoConfig.for_model("mamba", hidden_size=32, num_hidden_layers=2, state_size=4, vocab_size=64)
    made = AutoModelForCausalLM.from_config(config).eval().bfloat16()
    assert run(made, **STRATEGIES["dola"]).shape == (2, 17)
