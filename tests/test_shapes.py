"""The example that trains a segmentation model, with a few steps: trained, saved, reloaded, used, drawn."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def test_shapes_are_trained_saved_reloaded_and_drawn(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example = runpy.run_path(str(repository / "examples" / "shapes.py"))
    arguments = ["--steps", "3", "--held-out", "4", "--folder", tmp_path / "model", "--picture", tmp_path / "seen.png"]
    monkeypatch.setattr(sys, "argv", ["shapes.py", *map(str, arguments)])
    example["main"]()
    assert "mean IoU of 4 held-out pictures: 0." in capsys.readouterr().out
    with Image.open(tmp_path / "seen.png") as picture:
        assert picture.width == 256
    assert (tmp_path / "model" / "model.safetensors").is_file()


def test_shapes_are_where_their_map_says(repository: Path) -> None:
    example = runpy.run_path(str(repository / "examples" / "shapes.py"))
    random = np.random.default_rng(0)
    seen = set()
    for _ in range(20):
        picture, labels = example["drawn"](random)
        seen |= set(np.unique(labels).tolist())
        pixels = np.asarray(picture).astype(float)
        ground = pixels[labels == 0].mean(axis=0)
        for label in set(np.unique(labels).tolist()) - {0}:
            assert np.abs(pixels[labels == label].mean(axis=0) - ground).sum() > 50
    assert seen == {0, 1, 2, 3}
    perfect = [{"label": "square", "mask": Image.fromarray(np.full((64, 64), 255, dtype=np.uint8))}]
    assert (example["map_of"](perfect) == 2).all()
    assert example["overlaps"](np.array([0, 1, 2, 3]), np.array([0, 1, 3, 3]))["triangle"] == 0.5
