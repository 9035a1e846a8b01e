"""Languages of a translation: by the task's name, by parameters, by a prefix, by the tokenizer's tokens."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from modelry import AutoModelForSeq2SeqLM, pipeline
from modelry.errors import ParameterError, PipelineError
from modelry_registry import get_registry, resolve
from modelry_testing.toys.text_to_text import save_text_to_text

SPECIFIC = {
    "translation_en_to_de": {"prefix": "translate English to German: ", "max_length": 9},
    "translation_en_to_fr": {"prefix": "translate English to French: ", "max_length": 9},
}
WORDS = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁good", -1.0), ("▁night", -1.5), ("▁", -3.0)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_text_to_text(tmp_path_factory.mktemp("t5"), task_specific_params=SPECIFIC)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny mBART whose tokenizer has a token for each language."""
    path = tmp_path_factory.mktemp("mbart")
    transformers.MBartTokenizer(vocab=WORDS).save_pretrained(path)
    family = get_registry().get("models", "mbart")
    config: Any = resolve(family.config)
    torch.manual_seed(0)
    values = {**family.tiny, "decoder_start_token_id": 2, "init_std": 0.5}
    AutoModelForSeq2SeqLM.from_config(config(**values)).save_pretrained(path)
    return path


def test_languages_in_the_name(folder: Path) -> None:
    named = pipeline("translation_en_to_de", model=folder)
    said = pipeline("translation", model=folder, src_lang="en", tgt_lang="de")
    told = pipeline("translation", model=folder)
    expected = told("the inn", prefix="translate English to German: ", max_length=9)
    assert sorted(expected[0]) == ["translation_text"]
    assert named("the inn") == said("the inn") == expected
    assert told("the inn", src_lang="en", tgt_lang="fr") != expected
    with pytest.raises(ParameterError, match="say two things"):
        pipeline("translation_en_to_de", model=folder, tgt_lang="fr")


def test_languages_that_the_checkpoint_does_not_have(folder: Path) -> None:
    with pytest.raises(PipelineError, match="was trained for translation_en_to_de, translation_en_to_fr"):
        pipeline("translation_de_to_en", model=folder)("das Haus")


def test_languages_of_the_tokenizer(many: Path) -> None:
    pipe = pipeline("translation_en_XX_to_ro_RO", model=many, max_new_tokens=3)
    (answer,) = pipe("good night", return_tensors=True)
    tokenizer: Any = pipe.tokenizer
    assert answer["translation_token_ids"][:2] == [2, tokenizer.language_id("ro_RO")]
    (other,) = pipe("good night", return_tensors=True, src_lang="ro_RO", tgt_lang="en_XX")
    assert other["translation_token_ids"][1] == tokenizer.language_id("en_XX")
    assert tokenizer.src_lang == "ro_RO"
    with pytest.raises(PipelineError, match="no language is called 'tlh'"):
        pipe("good", src_lang="tlh", tgt_lang="en_XX")
    with pytest.raises(PipelineError, match="both are needed"):
        pipeline("translation", model=many)("good")


def test_streaming(folder: Path) -> None:
    pipe = pipeline("translation_en_to_fr", model=folder)
    assert "".join(pipe.stream("the inn")) == pipe("the inn")[0]["translation_text"]
