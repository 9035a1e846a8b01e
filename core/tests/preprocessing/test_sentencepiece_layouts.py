"""Folders that hold a SentencePiece model alone are read as each published class numbers and frames it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import transformers

from modelry.errors import PreprocessorError
from modelry.preprocessing.tokenizer import Tokenizer

Trained = Callable[[str], Path]
SPECIAL = ("<s>", "</s>", "<pad>", "<unk>", "<mask>")
TOKENS_INSIDE = [
    "one<mask>two",
    "one <mask> two ",
    "</s> </s>",
    "<unk> one",
    "one <s> two",
    "",
    " ",
    "one_two, Three!\n four",
]


def folder(path: Path, tokenizer_class: str, model: Path, **settings: object) -> Path:
    """As old checkpoints have it."""
    name = "sentencepiece.bpe.model" if model.stem == "unigram" else "spiece.model"
    (path / name).write_bytes(model.read_bytes())
    (path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": tokenizer_class, **settings}))
    return path


@pytest.mark.parametrize("name", ["XLMRoberta", "T5", "Siglip"])
def test_as_the_published_class(tmp_path: Path, trained: Trained, varied_texts: list[str], name: str) -> None:
    where = folder(tmp_path, f"{name}Tokenizer", trained("unigram" if name == "XLMRoberta" else "t5"))
    theirs = getattr(transformers, f"{name}Tokenizer").from_pretrained(where)
    ours = Tokenizer.from_pretrained(where)
    assert ours.special_tokens_map == theirs.special_tokens_map
    assert (len(ours), ours.model_input_names) == (len(theirs), theirs.model_input_names)
    assert ours.model_max_length == theirs.model_max_length
    # SigLIP's finds tokens in a text otherwise; the others' trims a text where its spaces are none to SentencePiece.
    texts = [text for text in varied_texts if not any(one in text for one in SPECIAL)]
    texts += TOKENS_INSIDE if name != "Siglip" else ["", " !", "One,  TWO: (three) [four] ^_`|~\\ $5.00\n", "a\u2003b"]
    same = [ours.encode(text) == theirs.encode(text) for text in texts]
    assert sum(same) > 0.96 * len(texts), [text[:60] for text, equal in zip(texts, same, strict=True) if not equal]
    assert all(same[-4:])
    assert ours.encode("one", "two") == theirs.encode("one", "two")
    assert ours.decode(ours.encode("one two"), skip_special_tokens=True) == "one two"


@pytest.mark.parametrize("name", ["MBart", "MBart50"])
def test_languages_stand_behind_the_vocabulary(tmp_path: Path, trained: Trained, name: str) -> None:
    """The reference forgets the model's own replacements of characters in these; so plain text is compared."""
    where = folder(tmp_path, f"{name}Tokenizer", trained("unigram"))
    theirs = getattr(transformers, f"{name}Tokenizer").from_pretrained(where)
    ours = Tokenizer.from_pretrained(where)
    assert ours.get_vocab() == theirs.get_vocab()
    for text in ("the quick brown fox", "one<mask> two"):
        assert ours.encode(text) == theirs.encode(text, add_special_tokens=False)
    assert ours.tokenize("en_XX one")[0] == "en_XX"
    assert ours.mask_token_id == len(ours) - 1


def test_capitals_may_stay(tmp_path: Path, trained: Trained) -> None:
    where = folder(tmp_path, "SiglipTokenizer", trained("t5"), do_lower_case=False)
    theirs = transformers.SiglipTokenizer.from_pretrained(where)
    ours = Tokenizer.from_pretrained(where)
    text = "The Fox, AND the Dog."
    assert ours.encode(text) == theirs.encode(text)
    padded = ours([text, "a"], padding="max_length", truncation=True)["input_ids"]
    assert {len(row) for row in padded} == {64}
    assert padded[1][-1] == ours.eos_token_id


def test_saved_and_read_again(tmp_path: Path, trained: Trained) -> None:
    """As a tokenizer.json, which says all of it."""
    for name, model in {"XLMRoberta": "unigram", "Siglip": "t5"}.items():
        (tmp_path / name).mkdir()
        ours = Tokenizer.from_pretrained(folder(tmp_path / name, f"{name}Tokenizer", trained(model)))
        ours.save_pretrained(tmp_path / "saved")
        again = Tokenizer.from_pretrained(tmp_path / "saved")
        text = "One, two <mask> three"
        assert again.encode(text, "four") == ours.encode(text, "four")
        assert again.special_tokens_map == ours.special_tokens_map
        assert again.model_max_length == ours.model_max_length


@pytest.mark.parametrize("tokenizer_class", ["T5Tokenizer", "LlamaTokenizer"])
def test_a_space_before_the_text_is_the_mark_of_its_first_word(trained: Trained, tokenizer_class: str) -> None:
    """With "legacy": false too, where a word behind a special token has the mark only behind a space."""
    found = Tokenizer.from_files(
        {"spiece.model": trained("t5").read_bytes()}, tokenizer_class=tokenizer_class, legacy=False, add_bos_token=False
    )
    wanted = found.tokenize("the end")
    assert wanted[0] == "▁the"
    for text in (" the end", "  the end ", "\nthe end"):
        assert found.tokenize(text) == wanted
    assert found.tokenize("</s> the")[1:] == ["▁the"]
    assert found.tokenize("</s>the")[1][0] != "▁"


def test_a_model_that_begins_otherwise(trained: Trained) -> None:
    files = {"sentencepiece.bpe.model": trained("t5").read_bytes()}
    with pytest.raises(PreprocessorError, match="begins with <pad>, </s>, <unk>; models of this class begin with"):
        Tokenizer.from_files(files, tokenizer_class="XLMRobertaTokenizer")
