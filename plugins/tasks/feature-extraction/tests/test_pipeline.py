"""Hidden states of texts, held against transformers' pipeline on the same folder."""

import copy
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from modelry import pipeline
from modelry.errors import PipelineError
from modelry_testing.toys.encoder import save_encoder

TEXTS = ["the rain came", "a tin roof by the sea, and then the inn", "who?"]


@pytest.fixture
def both(tmp_path: Path) -> tuple[Any, Any]:
    save_encoder(tmp_path, "base")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = transformers.pipeline("feature-extraction", model=str(tmp_path), device="cpu")
    return pipeline("feature-extraction", model=tmp_path, device="cpu"), other


def test_as_transformers_has_it(both: tuple[Any, Any]) -> None:
    ours, reference = both

    def other(given: Any, **options: Any) -> Any:
        return reference(given, **copy.deepcopy(options))  # it writes into tokenize_kwargs

    for options in ({}, {"truncation": True, "tokenize_kwargs": {"max_length": 5}}):
        found, expected = ours(TEXTS[1], **options), other(TEXTS[1], **options)
        torch.testing.assert_close(torch.tensor(found), torch.tensor(expected), atol=1e-5, rtol=1e-5)
        for one, another in zip(ours(TEXTS, batch_size=3, **options), other(TEXTS, **options), strict=True):
            torch.testing.assert_close(torch.tensor(one), torch.tensor(another), atol=1e-5, rtol=1e-5)
    for said in (True, "pt"):
        tensor = ours(TEXTS[0], return_tensors=said)
        torch.testing.assert_close(tensor, other(TEXTS[0], return_tensors=True), atol=1e-5, rtol=1e-5)
    assert tensor.shape[0] == 1


def test_a_text_longer_than_the_model(both: tuple[Any, Any]) -> None:
    with pytest.raises(PipelineError, match="has 102 positions and the model 64"):
        both[0]("rain " * 100)
