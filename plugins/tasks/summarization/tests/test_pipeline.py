"""What a summary is given and what comes back: shapes of answers, the checkpoint's values, streaming, bad input."""

from pathlib import Path
from typing import Any

import pytest
import torch

from modelry import AutoModelForSeq2SeqLM, AutoTokenizer, pipeline
from modelry.errors import ParameterError, PipelineError
from modelry_summarization import SummarizationPipeline
from modelry_testing.toys.text_to_text import save_text_to_text

SPECIFIC = {"summarization": {"prefix": "summarize: ", "num_beams": 3, "max_length": 9, "early_stopping": True}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_text_to_text(tmp_path_factory.mktemp("t5"), task_specific_params=SPECIFIC)


@pytest.fixture(scope="module")
def pipe(folder: Path) -> Any:
    return pipeline("summarization", model=folder)


def by_hand(folder: Path, text: str, **options: Any) -> str:
    model, tokenizer = AutoModelForSeq2SeqLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    ids = model.generate(torch.tensor([tokenizer(text)["input_ids"]]), **options)
    return str(tokenizer.decode(ids[0], skip_special_tokens=True))


def test_the_checkpoint_says_how(pipe: Any, folder: Path) -> None:
    assert isinstance(pipe, SummarizationPipeline)
    expected = by_hand(folder, "summarize: the inn", num_beams=3, max_length=9, early_stopping=True)
    assert pipe("the inn") == [{"summary_text": expected}]
    assert pipe(["the inn"]) == [{"summary_text": expected}]
    assert pipe({"text": "the inn"}) == {"summary_text": expected}


def test_the_call_decides(pipe: Any, folder: Path) -> None:
    expected = by_hand(folder, "so: the inn", num_beams=1, max_new_tokens=12)
    (found,) = pipe("the inn", prefix="so: ", num_beams=1, max_new_tokens=12)
    assert found == {"summary_text": expected}


def test_several_and_ids(pipe: Any) -> None:
    both = pipe("the inn", num_return_sequences=2)
    assert [sorted(one) for one in both] == [["summary_text"], ["summary_text"]]
    (ids,) = pipe("the inn", return_tensors=True)
    assert sorted(ids) == ["summary_token_ids"]
    assert len(ids["summary_token_ids"]) <= 9


def test_streaming(pipe: Any) -> None:
    parts = list(pipe.stream("the inn", num_beams=1, max_new_tokens=12))
    assert "".join(parts) == pipe("the inn", num_beams=1, max_new_tokens=12)[0]["summary_text"]
    assert len(list(pipe.stream("the inn"))) == 1


def test_bad_items_do_not_harm_the_others(pipe: Any) -> None:
    found = pipe(["the inn", 7, "the sea"], on_error="return", batch_size=2)
    assert isinstance(found[1], PipelineError)
    assert [found[0], found[2]] == [pipe("the inn")[0], pipe("the sea")[0]]
    with pytest.raises(ParameterError, match="no parameter 'num_beam'"):
        pipe("the inn", num_beam=2)
    with pytest.raises(PipelineError, match="the text has no tokens"):
        pipe("", prefix="")


def test_more_than_the_model_reads(tmp_path: Path) -> None:
    from modelry_registry import get_registry, resolve
    from modelry_testing.toys.tokenizer_files import write_tokenizer

    family = get_registry().get("models", "bart")
    config: Any = resolve(family.config)
    values = {**family.tiny, "vocab_size": 264, "max_position_embeddings": 10}
    AutoModelForSeq2SeqLM.from_config(config(**values)).save_pretrained(tmp_path)
    write_tokenizer(tmp_path)
    pipe = pipeline("summarization", model=tmp_path)
    with pytest.raises(PipelineError, match="the text has 26 tokens, and the model was made for 10: pass truncation"):
        pipe("b" * 26)
    assert pipe("b" * 26, truncation=True) == pipe("b" * 10)
