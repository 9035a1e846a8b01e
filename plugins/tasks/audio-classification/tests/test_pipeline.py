"""Labels of sounds, as transformers' pipeline gives them; sounds of several lengths; what is no sound."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import transformers

from modelry import pipeline
from modelry.errors import PipelineError

SOUNDS = [np.random.default_rng(length).normal(0, 0.1, length).astype(np.float32) for length in (1600, 700, 1200)]
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "masked": ("wav2vec2", {"return_attention_mask": True}, {}),
    "unmasked": ("wav2vec2", {}, {"feat_extract_norm": "group", "do_stable_layer_norm": False}),
    "spectrogram": ("whisper", {"chunk_length": 1, "feature_size": 16, "hop_length": 400}, {}),
}


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("case", CASES)
def test_labels(case: str, saved: Callable[..., Path], tmp_path: Path) -> None:
    model_type, extractor, changes = CASES[case]
    published = {"wav2vec2": "Wav2Vec2FeatureExtractor", "whisper": "WhisperFeatureExtractor"}[model_type]
    folder = saved(tmp_path, model_type, extractor={"feature_extractor_type": published, **extractor}, **changes)
    ours = pipeline("audio-classification", model=folder, device="cpu")
    theirs = transformers.pipeline("audio-classification", model=str(folder), device="cpu")
    for sound in SOUNDS:
        found, expected = ours(sound), theirs(sound)
        assert [one["label"] for one in found] == [one["label"] for one in expected]
        assert [one["score"] for one in found] == pytest.approx([one["score"] for one in expected], abs=1e-4)
    alone = [ours(sound) for sound in SOUNDS]
    for together, one in zip(ours(SOUNDS, batch_size=3), alone, strict=True):
        assert [label["label"] for label in together] == [label["label"] for label in one]
        assert [label["score"] for label in together] == pytest.approx([label["score"] for label in one], abs=1e-5)


def test_forms(saved: Callable[..., Path], tmp_path: Path) -> None:
    folder = saved(tmp_path / "model", "wav2vec2", extractor={"return_attention_mask": True})
    classify = pipeline("audio-classification", model=folder, device="cpu", top_k=1)
    path = tmp_path / "sound.wav"
    soundfile.write(path, SOUNDS[0], 16000, subtype="FLOAT")
    expected = classify(SOUNDS[0])
    assert len(expected) == 1
    forms = [str(path), path, path.read_bytes(), {"raw": SOUNDS[0], "sampling_rate": 16000}, {"audio": str(path)}]
    for form in forms:
        assert classify(form) == expected
    assert classify.display(expected).endswith(expected[0]["label"])
    assert len(classify({"array": SOUNDS[0][:800], "sampling_rate": 8000}, top_k=None)) == 4


def test_no_sound(saved: Callable[..., Path], tmp_path: Path) -> None:
    folder = saved(tmp_path / "model", "wav2vec2", extractor={"return_attention_mask": True})
    classify = pipeline("audio-classification", model=folder, device="cpu")
    text = tmp_path / "words.wav"
    text.write_text("words\n" * 30)
    bad = [SOUNDS[0], str(text), np.zeros(0, dtype=np.float32), np.full(900, np.nan, dtype=np.float32), SOUNDS[1][:10]]
    found = classify([*bad, SOUNDS[1]], batch_size=2, on_error="return")
    for number, told in ((1, "is no sound"), (2, "is empty"), (3, "sample 0 is nan"), (4, "at least 20 samples")):
        assert isinstance(found[number], PipelineError)
        assert f"item {number}" in str(found[number])
        assert told in str(found[number])
    assert found[0][0]["score"] > 0
    assert found[5][0]["score"] > 0
    with pytest.raises(PipelineError, match="one sound is needed"):
        classify(np.zeros((2, 900), dtype=np.float32))
