"""Choosing attention functions: by name, by part, in a configuration; and what is refused before any work."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from kernel_toys import CompositeConfig, CompositeModel, NoteConfig, NoteForCausalLM, NoteModel

from modelry import AutoConfig, AutoModelForCausalLM
from modelry.errors import ConfigError, MissingPlugin, ModelryWarning, UnknownName
from modelry.nn.eager import eager_attention
from modelry.nn.sdpa import sdpa_attention
from modelry_registry import AttentionBackend, Registry, use_registry

EAGER = "modelry.nn.eager:eager_attention"


class BiasedNoteModel(NoteModel):
    attention_needs: ClassVar[tuple[str, ...]] = ("biases",)


@pytest.fixture(autouse=True)
def backends(registry: Registry) -> Iterator[Registry]:
    """Two that lack something, besides the kernel's."""
    absent = AttentionBackend(name="absent", attend=EAGER, module="no_such_module", install="make it")
    plain = AttentionBackend(name="plain", attend=EAGER, biases=False)
    with use_registry(registry.extended(absent, plain)) as extended:
        yield extended


def attends(model: NoteModel) -> set[object]:
    return {layer.attend for layer in model.layers}


def test_by_part_of_the_configuration() -> None:
    model = CompositeModel.from_config(CompositeConfig(text_config=NoteConfig()))
    model.set_attn_implementation({"text_config": "eager"})
    assert attends(model.language_model) == {eager_attention}
    assert (model.attn_implementation, model.language_model.attn_implementation) == ("sdpa", "eager")
    model.set_attn_implementation({"": "eager"})
    model.set_attn_implementation({"text_config": "sdpa"})
    assert (model.attn_implementation, model.language_model.attn_implementation) == ("eager", "sdpa")
    assert attends(model.language_model) == {sdpa_attention}
    with pytest.raises(ConfigError, match=r"names 'vision_config', and CompositeModel .* it has '', 'text_config'"):
        model.set_attn_implementation({"vision_config": "eager", "text_config": "eager"})
    assert attends(model.language_model) == {sdpa_attention}, "nothing changes"


def test_in_a_configuration(tmp_path: Path) -> None:
    for config in (NoteConfig(attn_implementation="eager"), AutoConfig.for_model("note", attn_implementation="eager")):
        assert "attn_implementation" not in config.to_dict()
        model = NoteForCausalLM.from_config(config)
        assert attends(model.model) == {eager_attention}
        assert attends(NoteForCausalLM.from_config(model.config).model) == {eager_attention}
        assert attends(NoteForCausalLM.from_config(config, attn_implementation="sdpa").model) == {sdpa_attention}
    model.save_pretrained(tmp_path)
    assert "attn" not in (tmp_path / "config.json").read_text()
    read = AutoConfig.from_pretrained(tmp_path, attn_implementation="eager")
    for loaded in (
        AutoModelForCausalLM.from_pretrained(tmp_path, config=read),
        AutoModelForCausalLM.from_pretrained(tmp_path, config=read, initializer_range=0.5),
    ):
        assert attends(loaded.model) == {eager_attention}
    assert attends(AutoModelForCausalLM.from_pretrained(tmp_path).model) == {sdpa_attention}
    model.set_attn_implementation("sdpa")
    assert model.config._attn_implementation == "sdpa"


def test_what_a_file_says_of_it_is_kept_and_not_followed(tmp_path: Path) -> None:
    NoteForCausalLM.from_config(NoteConfig()).save_pretrained(tmp_path)
    file = tmp_path / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "attn_implementation": "absent"}))
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert attends(model.model) == {sdpa_attention}
    model.config.save_pretrained(tmp_path)
    assert json.loads(file.read_text())["attn_implementation"] == "absent"


@pytest.mark.parametrize("choice", ["sdap", {"": "sdap"}])
def test_an_unknown_name_is_refused_before_anything_is_read(choice: str | dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "note"}')
    with pytest.raises(UnknownName, match=r"attention backend 'sdap'.*Did you mean sdpa"):
        AutoModelForCausalLM.from_pretrained(tmp_path, attn_implementation=choice)
    with pytest.raises(UnknownName, match=r"Installed: absent, eager, .*sdpa"):
        NoteModel.from_config(NoteConfig(), attn_implementation="zzz")


def test_what_a_backend_runs_on_has_to_be_installed(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "note"}')
    expected = (
        r"'absent' runs on the module no_such_module, which is not installed\. Run: make it; or choose eager or .*sdpa"
    )
    with pytest.raises(MissingPlugin, match=expected):
        AutoModelForCausalLM.from_pretrained(tmp_path, attn_implementation="absent")
    with pytest.raises(MissingPlugin, match=expected):
        NoteModel.from_config(NoteConfig()).set_attn_implementation("absent")


def test_a_model_says_what_it_cannot_do_without() -> None:
    model = BiasedNoteModel.from_config(NoteConfig())
    with pytest.raises(
        ConfigError,
        match=r"BiasedNoteModel \(note\) adds relative positions to the scores of attention, which plain cannot do: "
        r"choose eager or .*sdpa",
    ):
        model.set_attn_implementation("plain")
    assert attends(model) == {sdpa_attention}
    NoteModel.from_config(NoteConfig()).set_attn_implementation("plain")


def test_attentions_that_a_configuration_asks_for(tmp_path: Path) -> None:
    NoteForCausalLM.from_config(NoteConfig()).save_pretrained(tmp_path)
    with pytest.warns(ModelryWarning, match=r"says output_attentions, which sdpa does not give: eager attends"):
        model = AutoModelForCausalLM.from_pretrained(tmp_path, output_attentions=True)
    assert (model.attn_implementation, attends(model.model)) == ("eager", {eager_attention})
    with pytest.raises(ConfigError, match=r"which sdpa does not give: choose eager.*, or say output_attentions=False"):
        model.set_attn_implementation("sdpa")
    model.config.output_attentions = False
    model.set_attn_implementation("sdpa")
