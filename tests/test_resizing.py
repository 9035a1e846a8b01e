"""A vocabulary gets more rows: old tokens mean what they did, new ones run, and files come back."""

from pathlib import Path
from typing import Any

import pytest
import torch

from modelry.errors import ConfigError
from modelry_bart import BartForQuestionAnswering, BartModel
from modelry_bert import BertForMaskedLM
from modelry_detr import DetrForObjectDetection
from modelry_registry import get_registry
from modelry_t5 import T5ForQuestionAnswering
from modelry_trocr import TrOCRForCausalLM

MORE = 4
CASES: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "one that scales what it looks up": (TrOCRForCausalLM, "trocr", {"scale_embedding": True}),
    "three embeddings": (BartModel, "bart", {"tie_word_embeddings": False}),
    "three embeddings under a head": (BartForQuestionAnswering, "bart", {"tie_word_embeddings": False}),
    "one for both sides": (T5ForQuestionAnswering, "t5", {}),
    "a bias of its own": (BertForMaskedLM, "bert", {"tie_word_embeddings": False}),
}


def tiny(kind: Any, family: str, **changes: Any) -> Any:
    torch.manual_seed(0)
    return kind.from_config(kind.config_class(**{**get_registry().get("models", family).tiny, **changes})).eval()


@torch.inference_mode()
@pytest.mark.parametrize("case", list(CASES))
def test_more_rows(case: str, tmp_path: Path) -> None:
    kind, family, changes = CASES[case]
    model = tiny(kind, family, **changes)
    ids = torch.tensor([[5, 6, 7, 8]])
    inputs = {"input_ids": ids, **({"decoder_input_ids": ids} if hasattr(model, "get_encoder") else {})}
    before = model(**inputs)[0]
    rows = model.get_input_embeddings().num_embeddings + MORE
    model.resize_token_embeddings(rows)
    after = model(**inputs)[0]
    torch.testing.assert_close(after[..., : before.shape[-1]], before)
    assert torch.isfinite(model(**{name: torch.full_like(ids, rows - 1) for name in inputs})[0]).all()
    model.save_pretrained(tmp_path)
    torch.testing.assert_close(kind.from_pretrained(tmp_path)(**inputs)[0], after)


def test_queries_are_no_vocabulary() -> None:
    model = tiny(DetrForObjectDetection, "detr")
    with pytest.raises(ConfigError, match="DetrForObjectDetection has no vocabulary"):
        model.resize_token_embeddings(40)
