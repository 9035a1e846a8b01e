"""Words under masks, held against transformers' pipeline on the same folder."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import transformers

from modelry import pipeline
from modelry.errors import ModelryWarning, PipelineError, PreprocessorError

TEXTS = ["the [MASK] came", "by the [MASK], then the [MASK] of a tin roof", "who is [MASK]? the inn"]


def close(found: Any, expected: Any) -> None:
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            close(one, other)
    else:
        assert found == {**expected, "score": pytest.approx(expected["score"], abs=1e-6)}


def test_as_transformers_has_it(folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = transformers.pipeline("fill-mask", model=str(folder), device="cpu")
    ours = pipeline("fill-mask", model=folder, device="cpu")
    for options in ({}, {"top_k": 3}, {"targets": ["rain", "sea", "inn"]}, {"targets": "sea", "top_k": 7}):
        for text in TEXTS:
            close(ours(text, **options), other(text, **options))
        close(ours(TEXTS, batch_size=2, **options), other(TEXTS, **options))
    longer = {"tokenizer_kwargs": {"truncation": True, "max_length": 6}}
    close(ours(TEXTS[0] + " rain" * 9, **longer), other(TEXTS[0] + " rain" * 9, **longer))


def test_targets_that_are_no_tokens(folder: Path) -> None:
    fill = pipeline("fill-mask", model=folder)
    with pytest.warns(ModelryWarning, match="'seaside' is no token of the vocabulary: 'sea' is taken for it"):
        found = fill(TEXTS[0], targets=["seaside"])
    assert [one["token_str"] for one in found] == ["sea"]
    with pytest.warns(ModelryWarning, match="nothing is taken"), pytest.raises(PipelineError, match="becomes a token"):
        fill(TEXTS[0], targets=" ")


def test_a_text_without_a_mask_harms_no_other(folder: Path) -> None:
    found = pipeline("fill-mask", model=folder)([TEXTS[0], "rain", TEXTS[2]], batch_size=3, on_error="return")
    assert isinstance(found[1], PipelineError)
    assert "the text has no [MASK], so there is nothing to fill" in str(found[1])
    assert len(found[0]) == len(found[2]) == 5


def test_a_tokenizer_without_a_mask(folder: Path) -> None:
    fill = pipeline("fill-mask", model=folder)
    fill.tokenizer.mask_token = None
    with pytest.raises(PreprocessorError, match="needs a tokenizer with a mask_token"):
        type(fill)(fill.model, tokenizer=fill.tokenizer, task="fill-mask")


def test_what_is_shown(folder: Path) -> None:
    fill = pipeline("fill-mask", model=folder)
    assert len(fill.display(fill(TEXTS[0], top_k=2)).splitlines()) == 2
    assert len(fill.display(fill(TEXTS[1], top_k=2)).split("\n\n")) == 2
