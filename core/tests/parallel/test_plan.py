"""Patterns and words of plans."""

import pytest
from kernel_toys import NoteConfig, NoteForCausalLM

from modelry.errors import ParallelError
from modelry.nn.decoder_config import RotaryDecoderConfig
from modelry.parallel.plan import matching, named_by, plan_of

NAMES = ["model", "model.layers.0.mlp.up_proj", "model.layers.1.mlp.up_proj", "model.layers.1.mlp", "lm_head"]


def test_a_star_is_one_part_of_a_name() -> None:
    assert matching("model.layers.*.mlp.up_proj", NAMES) == NAMES[1:3]
    assert matching("model.*.up_proj", NAMES) == []
    assert matching("lm_head", NAMES) == ["lm_head"]


def test_a_configuration_says_the_plan_of_its_base_model() -> None:
    plan = plan_of(RotaryDecoderConfig())
    assert plan["layers.*.self_attn.q_proj"] == "colwise"
    assert plan == RotaryDecoderConfig.base_model_tp_plan
    assert plan_of(NoteConfig()) == {}


def test_a_model_says_the_plans_of_all_models_in_it(small) -> None:
    plan = plan_of(small())
    assert plan["model.layers.*.mlp.down_proj"] == "rowwise"
    assert plan["lm_head"] == "colwise_gather_output", "it follows the input embedding"
    assert plan_of(small().model)["layers.*.mlp.down_proj"] == "rowwise"
    assert plan_of(NoteForCausalLM(NoteConfig())) == {}


def test_older_words_mean_the_newer_ones() -> None:
    named = named_by({"lm_head": "colwise_rep"}, NAMES, model="Toy", strict=True)
    assert named == {"lm_head": "colwise_gather_output"}


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ({"lm_head": "columns"}, "'columns' of lm_head"),
        (
            {"model.layers.*.mlp.up_prj": "colwise"},
            r"mlp\.up_prj.*there is model\.layers\.\*\.mlp\.up_proj",
        ),
        ({"lm_haed": "colwise"}, "lm_haed.*there is lm_head"),
    ],
)
def test_what_names_nothing_is_refused_with_names_that_are_close(plan: dict[str, str], said: str) -> None:
    with pytest.raises(ParallelError, match=said):
        named_by(plan, NAMES, model="Toy", strict=True)


def test_a_family_may_speak_of_what_one_of_its_heads_has_not() -> None:
    plan = {"model.layers.*.mlp.up_proj": "colwise", "model.decoder.layers.*.fc1": "colwise"}
    assert list(named_by(plan, NAMES, model="Toy", strict=False)) == NAMES[1:3]
    with pytest.raises(ParallelError, match="up_prj"):  # but not of a part that a layer it has lacks
        named_by({**plan, "model.layers.*.mlp.up_prj": "colwise"}, NAMES, model="Toy", strict=False)
    with pytest.raises(ParallelError, match="nothing that it has"):
        named_by({"model.decoder.layers.*.fc1": "colwise"}, NAMES, model="Toy", strict=False)
