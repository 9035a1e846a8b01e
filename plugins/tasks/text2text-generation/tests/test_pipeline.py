"""Answers of texts to texts."""

from pathlib import Path
from typing import Any

import pytest

from modelry import AutoModelForSeq2SeqLM, AutoTokenizer, pipeline


@pytest.fixture(scope="module")
def folder(save_t5: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    saved: Path = save_t5(tmp_path_factory.mktemp("t5"))
    return saved


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
