"""Answers of texts to texts."""

from pathlib import Path

import pytest

from modelry import AutoModelForSeq2SeqLM, AutoTokenizer, pipeline
from modelry_testing.toys.text_to_text import save_text_to_text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_text_to_text(tmp_path_factory.mktemp("t5"))


def test_the_answer_is_what_generate_gives(folder: Path) -> None:
    pipe = pipeline("text2text-generation", model=folder)
    model, tokenizer = AutoModelForSeq2SeqLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    ids = model.generate(**tokenizer("the inn", return_tensors="pt"), max_new_tokens=7)
    expected = tokenizer.decode(ids[0], skip_special_tokens=True)
    assert pipe("the inn", max_new_tokens=7) == [{"generated_text": expected}]
    assert "".join(pipe.stream("the inn", max_new_tokens=7)) == expected


def test_the_length_where_nobody_says(folder: Path) -> None:
    pipe = pipeline("text2text-generation", model=folder)
    (answer,) = pipe("the inn", return_tensors=True, eos_token_id=None)
    assert len(answer["generated_token_ids"]) == 257
