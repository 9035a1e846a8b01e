"""Architectures that share nothing with ours pass the contract, and are not asked for what they do not have."""

from collections.abc import Callable

from modelry_registry import ModelFamily, get_registry
from modelry_testing import ModelContract
from modelry_testing.outcomes import FAILED, SKIPPED


def skipped(found: list) -> set[str]:
    return {one.check for one in found if one.status == SKIPPED and "package" not in one.reason}


def test_a_recurrent_model_under_names_of_its_own(outsider: Callable, outcomes: Callable) -> None:
    module = outsider("tidepool")
    family = ModelFamily(
        model_type="tidepool",
        config=f"{module}:TidepoolConfig",
        heads={"causal-lm": f"{module}:TidepoolSpeaker"},
        tiny={"n_words": 50, "n_wide": 24, "n_deep": 2, "architectures": ["TidepoolSpeaker"]},
    )
    found = outcomes(
        ModelContract, get_registry().extended(family), "tidepool", impossible=({"n_wide": 0}, {"n_words": "many"})
    )
    assert not [one for one in found if one.status == FAILED]
    assert skipped(found) == {
        "test_answering",
        "test_attention_backends",
        "test_cache_rollback",
        "test_compile",
        "test_heads_from_base",
        "test_packed_reading",
        "test_prepared_step",
        "test_reference",
        "test_tensor_parallel_plan",
        "test_tied_weights",
    }


def test_an_encoder_without_a_cache(outsider: Callable, outcomes: Callable) -> None:
    module = outsider("mirrorpond")
    family = ModelFamily(
        model_type="mirrorpond",
        config=f"{module}:MirrorpondConfig",
        heads={"base": f"{module}:MirrorpondModel", "masked-lm": f"{module}:MirrorpondForMaskedLM"},
        tiny={"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 2, "pad_token_id": 0},
    )
    found = outcomes(ModelContract, get_registry().extended(family), "mirrorpond")
    assert not [one for one in found if one.status == FAILED]
    assert {"test_cached_decoding", "test_cache_keep", "test_generate"} <= skipped(found)
