"""The part about speech, of numbers that were made up."""

import pytest

pytest.importorskip("matplotlib", reason="requirements/bench.txt")

from benchmarks.parts import speech


def test_goals(tmp_path):
    one = {name: {speech.SPEED: 30.0 if name == speech.WINDOWS else 10.0, "words": 80.0} for name in speech.SIDES}
    entries = {"two minutes": {"median": one, "runs": {name: [value] * 5 for name, value in one.items()}}}
    lines = list(speech.PART.section(entries).lines())
    assert sum("| yes |" in line for line in lines) == 4
    assert any("modelry windows | 30.0 s of sound/s | transformers float32: 10.0" in line for line in lines)
    assert "modelry windows 80, faster-whisper int8 80" in lines[-2]
    speech.PART.draw(entries, tmp_path)
    assert (tmp_path / "speech.png").stat().st_size > 1000
