"""The Auto classes find what the registry has, and say what it does not."""

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kernel_toys import (
    CompositeConfig,
    CompositeModel,
    NoteConfig,
    NoteForCausalLM,
    NoteForSequenceClassification,
    NoteModel,
    ToyFeatureExtractor,
    ToyImageProcessor,
    ToyProcessor,
    ToyVideoProcessor,
)

import modelry
from modelry import (
    AutoConfig,
    AutoFeatureExtractor,
    AutoImageProcessor,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    AutoProcessor,
    AutoTokenizer,
    AutoVideoProcessor,
)
from modelry.auto import HEADS
from modelry.errors import AmbiguousName, ConfigError, NotFound, PreprocessorError, RegistryError, UnknownName
from modelry_registry import ModelFamily, Registry, hookimpl, use_registry

pytestmark = pytest.mark.usefixtures("registry")


def written(folder: Path, **values: Any) -> Path:
    (folder / "config.json").write_text(json.dumps(values))
    return folder


# Configurations


def test_config(tmp_path: Path) -> None:
    assert type(AutoConfig.from_pretrained(written(tmp_path, model_type="note"))) is NoteConfig
    assert AutoConfig.from_pretrained(tmp_path, hidden_size=12).hidden_size == 12  # type: ignore[attr-defined]
    assert type(AutoConfig.from_pretrained(tmp_path / "config.json")) is NoteConfig
    assert type(AutoConfig.for_model("note", hidden_size=4)) is NoteConfig


@pytest.mark.parametrize(
    "hostile",
    [
        "../../x",
        "x" * 10_000,
        "; rm -rf ~",
        "$(touch /tmp/owned)",
        "os:system",
        "a/b",
        "note\n",
        "",
        None,
        3,
        ["note"],
        {},
    ],
)
def test_a_hostile_model_type(tmp_path: Path, hostile: Any) -> None:
    written(tmp_path, model_type=hostile)
    for load in (AutoConfig.from_pretrained, AutoModel.from_pretrained):
        with pytest.raises(ConfigError, match=r"config\.json has (no model_type|the model_type .* no name)") as caught:
            load(tmp_path)
        assert len(str(caught.value)) < 600


def test_no_model_type_and_no_plugin(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no model_type"):
        AutoConfig.from_pretrained(written(tmp_path, hidden_size=3))
    with pytest.raises(UnknownName, match="unheard-of"):
        AutoConfig.from_pretrained(written(tmp_path, model_type="unheard-of"))


def test_everything_missing_is_one_error(tmp_path: Path) -> None:
    text = {"model_type": "unseen-text"}
    own = {"model_type": "unheard_vision_model"}
    written(
        tmp_path,
        model_type="unheard",
        text_config=text,
        vision_config=own,
        quantization_config={"quant_method": "unfelt"},
    )
    with pytest.raises(RegistryError) as caught:
        AutoModel.from_pretrained(tmp_path, attn_implementation="untold")
    for name in ("unheard", "unseen-text", "unfelt", "untold"):
        assert name in str(caught.value)
    assert "unheard_vision_model" not in str(caught.value), "a family's own part is not asked for"


def test_a_composite_of_an_unknown_text_model_fails_before_anything_is_loaded(tmp_path: Path) -> None:
    written(tmp_path, model_type="composite", text_config={"model_type": "unseen-text"})
    with pytest.raises(UnknownName, match="unseen-text"):
        AutoModel.from_pretrained(tmp_path)


# Models


def test_models(tmp_path: Path) -> None:
    NoteForCausalLM.from_config(NoteConfig()).save_pretrained(tmp_path)
    assert type(AutoModel.from_pretrained(tmp_path)) is NoteModel
    assert type(AutoModelForCausalLM.from_pretrained(tmp_path)) is NoteForCausalLM
    config = AutoConfig.from_pretrained(tmp_path)
    assert type(AutoModelForCausalLM.from_pretrained(tmp_path, config=config)) is NoteForCausalLM
    assert type(AutoModelForSequenceClassification.from_config(config)) is NoteForSequenceClassification
    composite = AutoModel.from_config(CompositeConfig(text_config=config))
    assert isinstance(composite, CompositeModel)
    assert type(composite.language_model) is NoteModel


def test_a_head_the_family_does_not_have(tmp_path: Path) -> None:
    NoteModel.from_config(NoteConfig()).save_pretrained(tmp_path)
    message = (
        r"note \(kernel-toys 0\) has no head 'image-classification', which AutoModelForImageClassification loads; "
        r"it has base \(AutoModel\), causal-lm \(AutoModelForCausalLM\), sequence-classification"
    )
    with pytest.raises(ConfigError, match=message):
        AutoModelForImageClassification.from_pretrained(tmp_path)
    with pytest.raises(ConfigError, match=message):
        AutoModelForImageClassification.from_config(NoteConfig())


def test_what_is_no_configuration() -> None:
    with pytest.raises(ConfigError, match="config is a dict"):
        AutoModel.from_config({"model_type": "note"})  # type: ignore[arg-type]


def test_the_auto_classes_are_not_made_themselves() -> None:
    for name in modelry.__dir__():
        if name.startswith("Auto") and inspect.isclass(getattr(modelry, name)):
            with pytest.raises(TypeError, match=f"call {name}.from_pretrained"):
                getattr(modelry, name)()


def test_one_table_of_heads() -> None:
    assert HEADS["causal-lm"] is AutoModelForCausalLM
    assert all(cls.head == head for head, cls in HEADS.items())
    public = {getattr(modelry, name) for name in modelry.__all__ if name.startswith(("AutoModel", "AutoBackbone"))}
    assert public == set(HEADS.values())


def test_two_providers_and_a_choice(registry: Registry) -> None:
    again = ModelFamily(model_type="note", config="kernel_toys:LegacyConfig", heads={"base": "kernel_toys:LegacyModel"})
    with use_registry(registry.extended(again, distribution="other-toys")):
        with pytest.raises(AmbiguousName, match="kernel-toys"):
            AutoConfig.for_model("note")
        assert type(AutoConfig.for_model("note", plugin="kernel-toys")) is NoteConfig
        model = AutoModel.from_config(NoteConfig(), plugin="kernel-toys")
        assert type(model) is NoteModel


# Preprocessors


def test_preprocessors_of_every_kind(tmp_path: Path) -> None:
    written(tmp_path, model_type="composite", text_config={"model_type": "note"})
    found = AutoImageProcessor.from_pretrained(tmp_path, size=4)
    assert type(found) is ToyImageProcessor
    assert found.folder == tmp_path
    assert found.options == {"size": 4}
    assert type(AutoVideoProcessor.from_pretrained(tmp_path)) is ToyVideoProcessor
    assert type(AutoFeatureExtractor.from_pretrained(tmp_path)) is ToyFeatureExtractor
    assert type(AutoProcessor.from_pretrained(tmp_path)) is ToyProcessor
    config = CompositeConfig(text_config=NoteConfig())
    assert type(AutoImageProcessor.from_pretrained(tmp_path / "..", config=config)) is ToyImageProcessor


def test_a_preprocessor_the_family_does_not_have(tmp_path: Path) -> None:
    written(tmp_path, model_type="note")
    with pytest.raises(PreprocessorError, match=r"note \(kernel-toys 0\) has no image-processor; it has tokenizer"):
        AutoImageProcessor.from_pretrained(tmp_path)
    with pytest.raises(PreprocessorError, match="has no feature-extractor"):
        AutoFeatureExtractor.from_pretrained(tmp_path)
    written(tmp_path, model_type="unheard-of")
    with pytest.raises(UnknownName, match="unheard-of"):
        AutoProcessor.from_pretrained(tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(NotFound, match=r"no config\.json"):
        AutoProcessor.from_pretrained(tmp_path)


def test_a_tokenizer_needs_no_family(tmp_path: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    Tokenizer(WordLevel({"a": 0, "b": 1}, unk_token="a")).save(str(tmp_path / "tokenizer.json"))
    for values in (None, {"model_type": "unheard-of"}, {"model_type": "note"}):
        if values is not None:
            written(tmp_path, **values)
        assert AutoTokenizer.from_pretrained(tmp_path)("b")["input_ids"] == [1]
    written(tmp_path, model_type="../../x")
    with pytest.raises(ConfigError, match="no name"):
        AutoTokenizer.from_pretrained(tmp_path)


# Hooks


class Observer:
    """Remembers the loads it saw."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    @hookimpl
    def modelry_before_load(self, reference: str, config: Any) -> None:
        self.seen.append((reference, type(config)))

    @hookimpl
    def modelry_after_load(self, model: Any) -> None:
        self.seen.append(type(model))


def test_hooks_run_around_a_load(tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    NoteModel.from_config(NoteConfig()).save_pretrained(tmp_path)
    observer = Observer()
    asked: list[Any] = []

    def hooks(participants: Any) -> Any:
        asked.extend((one.kind, one.name) for one in participants)
        return registry.hooks_of([observer])

    monkeypatch.setattr(registry, "hooks", hooks)
    AutoModel.from_pretrained(tmp_path, attn_implementation="eager")
    assert observer.seen == [(str(tmp_path), NoteConfig), NoteModel]
    assert asked == [("models", "note"), ("attention", "eager"), ("checkpoints", "safetensors")]


# Without torch


def test_configurations_and_tokenizers_import_no_torch(tmp_path: Path, run_fresh: Callable[..., str]) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    Tokenizer(WordLevel({"a": 0, "b": 1}, unk_token="a")).save(str(tmp_path / "tokenizer.json"))
    written(
        tmp_path, model_type="llama", vocab_size=2, hidden_size=8, intermediate_size=8, num_hidden_layers=1,
        num_attention_heads=2,
    )  # fmt: skip
    code = (
        "import sys; from modelry import AutoConfig, AutoTokenizer\n"
        f"config = AutoConfig.from_pretrained({str(tmp_path)!r})\n"
        f"ids = AutoTokenizer.from_pretrained({str(tmp_path)!r})('b')['input_ids']\n"
        "print(config.model_type, ids, 'torch' in sys.modules)"
    )
    assert run_fresh(code).split() == ["llama", "[1]", "False"]
