"""Configurations: published names, refusals in words, unknown keys, nesting, files."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kernel_toys import CompositeConfig, LegacyConfig, NoteConfig

from modelry.configuration import ModelConfig
from modelry.errors import ConfigError, ModelryWarning, NotFound

pytestmark = pytest.mark.usefixtures("registry")


def write(folder: Path, values: Any) -> Path:
    text = values if isinstance(values, str) else json.dumps(values)
    (folder / "config.json").write_text(text, encoding="utf-8")
    return folder


def test_reads_published_names_and_writes_them_back(tmp_path: Path) -> None:
    values = {
        "model_type": "note",
        "hidden_size": 16,
        "architectures": ["NoteModel"],
        "_name_or_path": "x",
        "sep_token_id": 3,
    }
    config = NoteConfig.from_pretrained(write(tmp_path, values))
    assert config.hidden_size == 16
    config.save_pretrained(tmp_path / "again")
    again = json.loads((tmp_path / "again" / "config.json").read_text())
    assert {key: again[key] for key in values} == values
    assert again["vocab_size"] == 32, "defaults are written, since another reader may have others"
    assert NoteConfig.from_pretrained(tmp_path / "again") == config


def test_impossible_values_are_refused_with_both_numbers() -> None:
    with pytest.raises(ConfigError, match=r"hidden_size 9 is not a multiple of num_attention_heads 2"):
        NoteConfig(hidden_size=9)
    with pytest.raises(ConfigError, match=r"num_hidden_layers is 0"):
        NoteConfig(num_hidden_layers=0)
    with pytest.raises(ConfigError, match=r"vocab_size is 'many'.*hidden_size is -1"):
        NoteConfig(vocab_size="many", hidden_size=-1)


def test_a_key_of_one_supported_value_refuses_others() -> None:
    with pytest.raises(ConfigError, match=r"hidden_act is 'gelu'.*'tanh'"):
        NoteConfig(hidden_act="gelu")


def test_an_error_names_the_file(tmp_path: Path) -> None:
    write(tmp_path, {"model_type": "note", "hidden_size": 9})
    with pytest.raises(ConfigError, match=r"config\.json: NoteConfig: hidden_size 9"):
        NoteConfig.from_pretrained(tmp_path)


def test_unknown_keys_are_kept_and_named_in_one_warning() -> None:
    with pytest.warns(ModelryWarning, match=r"NoteConfig does not know bells, whistles;") as caught:
        config = NoteConfig(whistles=1, bells=[2], transformers_version="4.0", _private=3)
    assert len(caught) == 1
    assert config.to_dict()["whistles"] == 1
    assert config.to_dict()["_private"] == 3


def test_published_keys_without_effect_are_kept_in_silence() -> None:
    class OldNoteConfig(NoteConfig):
        without_effect = ("bells",)

    with pytest.warns(ModelryWarning, match=r"does not know whistles;"):
        config = OldNoteConfig(whistles=1, bells=[2], output_past=True)
    assert config.to_dict()["bells"] == [2]


def test_unknown_keys_of_a_nested_configuration_are_in_the_same_warning() -> None:
    with pytest.warns(ModelryWarning, match=r"does not know mine, text_config\.inner;") as caught:
        CompositeConfig(text_config={"model_type": "note", "inner": 1}, mine=2)
    assert len(caught) == 1


def test_nested_configurations_come_from_the_registry() -> None:
    config = CompositeConfig(text_config={"model_type": "note", "hidden_size": 12})
    assert isinstance(config.text_config, NoteConfig)
    assert config.get_text_config() is config.text_config
    assert config.to_dict()["text_config"]["hidden_size"] == 12
    assert CompositeConfig.from_dict(config.to_dict()) == config


def test_a_wrong_nested_value_is_named_with_its_path() -> None:
    with pytest.raises(ConfigError, match=r"text_config: .*hidden_size 9"):
        CompositeConfig(text_config={"model_type": "note", "hidden_size": 9})
    with pytest.raises(ConfigError, match="has no model_type"):
        CompositeConfig(text_config={"hidden_size": 9})


def test_the_part_of_a_composite_file_that_a_class_is_for(tmp_path: Path) -> None:
    write(tmp_path, {"model_type": "composite", "text_config": {"model_type": "note", "hidden_size": 4}})
    assert NoteConfig.from_pretrained(tmp_path).hidden_size == 4


def test_another_model_type_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"model_type": "note"})
    with pytest.raises(ConfigError, match=r"model_type is 'note'.*'legacy'"):
        LegacyConfig.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("given", "kept"), [({"torch_dtype": "bfloat16"}, "bfloat16"), ({"dtype": "torch.float16"}, "float16"), ({}, None)]
)
def test_dtype_under_both_names(given: dict[str, str], kept: str | None) -> None:
    assert NoteConfig(**given).dtype == kept


def test_an_unknown_dtype_is_refused() -> None:
    with pytest.raises(ConfigError, match="dtype is 'float99'"):
        NoteConfig(dtype="float99")


def test_labels() -> None:
    config = NoteConfig(id2label={"0": "no", "1": "yes"})
    assert config.num_labels == 2
    assert config.label2id == {"no": 0, "yes": 1}
    assert NoteConfig(num_labels=3).id2label == {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}
    config.num_labels = 4
    assert len(config.id2label) == len(config.label2id) == 4
    assert "id2label" not in NoteConfig().to_dict(), "two unnamed labels say nothing"
    with pytest.raises(ConfigError, match="num_labels is 0"):
        NoteConfig(num_labels=0)
    with pytest.warns(ModelryWarning, match="num_labels is 3 but id2label names 1"):
        assert NoteConfig(num_labels=3, id2label={0: "a"}).num_labels == 3


def test_overrides_win_and_strange_ones_are_refused(tmp_path: Path) -> None:
    write(tmp_path, {"model_type": "note", "id2label": {"0": "a", "1": "b"}})
    assert NoteConfig.from_pretrained(tmp_path, num_labels=5).num_labels == 5
    assert NoteConfig.from_pretrained(tmp_path, hidden_size=4).hidden_size == 4
    with pytest.raises(TypeError, match="hiden_size"):
        NoteConfig.from_pretrained(tmp_path, hiden_size=4)


def test_null_means_the_default_where_old_files_write_it() -> None:
    assert NoteConfig(use_cache=None, tie_word_embeddings=None).use_cache is True


def test_an_edited_configuration_can_be_checked_again() -> None:
    config = NoteConfig()
    config.hidden_size = 3
    with pytest.raises(ConfigError, match="hidden_size 3"):
        config.checked()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"config\.json is not valid JSON: .* in line 1, column 2"),
        ("", "is not valid JSON"),
        ("[1, 2]", "holds a list, not an object"),
        ('"x"', "holds a str"),
        ("[" * 100_000, "nested too deeply|not valid JSON"),
        ('{"a": NaN', "not valid JSON"),
        (f'{{"size": {"9" * 5000}}}', r"config\.json holds a number of too many digits"),
    ],
)
def test_what_is_no_json_object(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        NoteConfig.from_pretrained(write(tmp_path, text))


def test_what_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(ConfigError, match="not UTF-8"):
        NoteConfig.from_pretrained(tmp_path)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "config.json").open("wb") as file:
        file.truncate(100 * 2**20)
    with pytest.raises(ConfigError, match=r"104,857,600 bytes"):
        NoteConfig.from_pretrained(tmp_path)


def test_no_file_at_all(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"holds no config\.json"):
        NoteConfig.from_pretrained(tmp_path)
    (tmp_path / "m.Q4_1.gguf").touch()
    with pytest.raises(NotFound, match=r"to load m\.Q4_1\.gguf, give its path"):
        NoteConfig.from_pretrained(tmp_path)


def test_the_provider_is_recorded_and_another_one_warns(tmp_path: Path) -> None:
    NoteConfig().save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    values = json.loads(path.read_text())
    assert values["modelry_provider"] == "kernel-toys==0"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "modelry_provider" not in NoteConfig.from_pretrained(tmp_path).to_dict()
    path.write_text(json.dumps({**values, "modelry_provider": "somebody-elses==3.1"}))
    with pytest.warns(ModelryWarning, match=r"written by somebody-elses==3\.1, and kernel-toys==0 reads it"):
        NoteConfig.from_pretrained(tmp_path)


def test_the_plain_class_keeps_everything() -> None:
    with pytest.warns(ModelryWarning, match="does not know size"):
        config = ModelConfig(model_type="anything", size=3)
    assert config.to_dict()["size"] == 3


@pytest.mark.parametrize(
    "values",
    [
        {"num_hidden_layers": 10**9},
        {"vocab_size": 2**70},
        {"head_dim": 10**9},
        {"num_labels": 10**12},
        {"initializer_range": float("nan")},
        {"id2label": {"x": "y"}},
        {"id2label": 3},
        {"dtype": 7},
        {"quantization_config": [1]},
        {"architectures": "NoteModel"},
    ],
)
def test_values_that_no_model_has(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        NoteConfig(**values)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    [
        *NoteConfig.model_fields,
        "num_labels",
        "torch_dtype",
        "model_config",
        "to_dict",
        "self",
        "__class__",
        "model_extra",
    ]
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(KEYS | st.text(max_size=6), JSON, max_size=5))
def test_any_values_are_refused_in_words_or_kept(values: dict[str, Any]) -> None:
    refusal = ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ModelryWarning)
        try:
            config = NoteConfig.from_dict(values, where="config.json")
            again = NoteConfig.from_dict(json.loads(config.to_json_string()))
        except ConfigError as error:
            refusal = str(error)
    assert refusal.startswith("config.json: ") or again.to_json_string() == config.to_json_string()


def test_configurations_nested_without_end() -> None:
    values: dict[str, Any] = {"model_type": "note"}
    for _ in range(2000):
        values = {"model_type": "composite", "text_config": values}
    with pytest.raises(ConfigError):
        CompositeConfig.from_dict(values)


def test_labels_are_written_both_ways() -> None:
    values = ModelConfig(id2label={0: "no", 1: "yes"}).to_dict()
    assert values["label2id"] == {"no": 0, "yes": 1}
    assert "label2id" not in ModelConfig().to_dict()
