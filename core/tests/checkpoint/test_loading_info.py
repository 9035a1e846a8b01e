"""What fitted and what did not is told on request, as the ecosystem tells it."""

from pathlib import Path
from typing import Any

import pytest
from kernel_toys import NoteConfig, NoteForCausalLM, NoteForSequenceClassification

from modelry import AutoModelForSequenceClassification
from modelry.errors import ModelryWarning

pytestmark = pytest.mark.usefixtures("registry")


def test_what_fitted_is_told(tmp_path: Path) -> None:
    NoteForCausalLM.from_config(NoteConfig(tie_word_embeddings=False)).save_pretrained(tmp_path / "text")
    NoteForSequenceClassification.from_config(NoteConfig(num_labels=2)).save_pretrained(tmp_path / "labels")
    model, info = NoteForCausalLM.from_pretrained(tmp_path / "text", output_loading_info=True)
    assert isinstance(model, NoteForCausalLM)
    nothing: dict[str, Any] = {"missing_keys": set(), "unexpected_keys": set(), "mismatched_keys": set()}
    assert info == {**nothing, "error_msgs": []}
    with pytest.warns(ModelryWarning, match="score"):
        _, info = NoteForSequenceClassification.from_pretrained(tmp_path / "text", output_loading_info=True)
    assert info["missing_keys"] == {"score.weight", "score.bias"}
    assert info["unexpected_keys"] == {"lm_head.weight"}
    with pytest.warns(ModelryWarning, match="score"):
        wider, info = AutoModelForSequenceClassification.from_pretrained(
            tmp_path / "labels", num_labels=5, ignore_mismatched_sizes=True, output_loading_info=True
        )
    shapes = {("score.weight", (2, 8), (5, 8)), ("score.bias", (2,), (5,))}
    assert info == {**nothing, "mismatched_keys": shapes, "error_msgs": []}
    assert wider.get_memory_footprint() == sum(one.nbytes for one in (*wider.parameters(), *wider.buffers()))
