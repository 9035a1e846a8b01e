"""Languages beside texts, held against the reference's tokenizer over the same vocabulary."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from modelry import AutoTokenizer
from modelry.errors import PreprocessorError
from modelry_mbart import MBartConfig, MBartForConditionalGeneration, MBartTokenizer
from modelry_registry import get_registry

WORDS = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁good", -1.0), ("▁night", -1.5), ("▁", -3.0)]


@pytest.fixture(scope="module", params=["MBartTokenizer", "MBart50Tokenizer"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Theirs, and ours from what theirs saved."""
    folder = tmp_path_factory.mktemp(request.param)
    theirs = getattr(transformers, request.param)(vocab=WORDS, src_lang="en_XX", tgt_lang="ro_RO")
    theirs.save_pretrained(folder)
    MBartConfig(**get_registry().get("models", "mbart").tiny).save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder), theirs


def test_texts_and_targets_are_theirs(pair: Any) -> None:
    ours, theirs = pair
    assert isinstance(ours, MBartTokenizer)
    assert ours("good night").input_ids == theirs("good night").input_ids
    both = ours("good", text_target="night good")
    expected = theirs("good", text_target="night good")
    assert (both["input_ids"], both["labels"]) == (expected["input_ids"], expected["labels"])
    assert ours("good").input_ids == theirs("good").input_ids
    assert ours(text_target="good").input_ids == theirs(text_target="good").input_ids
    assert ours("good", "night").input_ids == theirs("good", "night").input_ids


def test_another_language(pair: Any, tmp_path: Path) -> None:
    ours, theirs = pair
    ours.src_lang = theirs.src_lang = "de_DE"
    assert ours("good").input_ids == theirs("good").input_ids
    assert ours.language_id("fr_XX") == theirs.convert_tokens_to_ids("fr_XX")
    ours.save_pretrained(tmp_path)
    again = MBartTokenizer.from_pretrained(tmp_path)
    assert (again.src_lang, again.tgt_lang) == ("de_DE", "ro_RO")
    assert again("good").input_ids == ours("good").input_ids
    ours.src_lang = theirs.src_lang = "en_XX"


def test_refusals(pair: Any) -> None:
    ours, _ = pair
    for language in ("tlh", "</s>"):
        with pytest.raises(PreprocessorError, match=f"no language is called '{language}'; there are ar_AR, cs_CZ"):
            ours.src_lang = language
    with pytest.raises(PreprocessorError, match="no language is called 'Romanian'"):
        ours.tgt_lang = "Romanian"
    assert ours.src_lang == "en_XX"


def test_an_answer_begins_with_its_language(pair: Any) -> None:
    ours, _ = pair
    values = {**get_registry().get("models", "mbart").tiny, "decoder_start_token_id": 2, "vocab_size": 128}
    model = MBartForConditionalGeneration(MBartConfig(**values)).eval()
    ids = model.generate(
        **ours("good night", return_tensors="pt"), forced_bos_token_id=ours.language_id("ro_RO"), max_new_tokens=4
    )
    assert ids[0, :2].tolist() == [2, ours.language_id("ro_RO")]


def test_labels_begin_with_their_last_token() -> None:
    model = MBartForConditionalGeneration(MBartConfig(**get_registry().get("models", "mbart").tiny))
    labels = torch.tensor([[5, 6, 2, 40], [7, 2, 41, -100]])
    assert model.prepare_decoder_input_ids_from_labels(labels).tolist() == [[40, 5, 6, 2], [41, 7, 2, 41]]
    with pytest.raises(ValueError, match="pad_token_id is None"):
        MBartForConditionalGeneration(MBartConfig(pad_token_id=None, d_model=16, vocab_size=8, encoder_layers=1,
                                                  decoder_layers=1))(labels, labels=labels)  # fmt: skip
