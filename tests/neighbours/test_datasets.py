"""Hugging Face datasets into our Trainer and our pipelines: whole, formatted, mapped and streamed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from modelry import AutoConfig, AutoModelForAudioClassification, Trainer, TrainingArguments, pipeline
from modelry_registry import get_registry
from modelry_testing.toys.picture_models import save_picture_model

Make = Callable[..., Any]
ROWS = [
    {
        "input_ids": torch.randint(1, 96, (6,), generator=torch.Generator().manual_seed(number)).tolist(),
        "attention_mask": [1] * 6,
        "label": number % 2,
        "text": f"row {number}",
    }
    for number in range(8)
]


def trained(tiny: Make, folder: Path, train: Any, test: Any = None) -> tuple[list[float], Any]:
    """The losses of three steps, and what an evaluation says."""
    arguments = TrainingArguments(
        folder,
        max_steps=3,
        per_device_train_batch_size=2,
        logging_steps=1,
        report_to=[],
        save_strategy="no",
        use_cpu=True,
        disable_tqdm=True,
    )
    model = tiny("ForSequenceClassification", "bert", num_labels=2, hidden_dropout_prob=0.0)
    trainer = Trainer(model, arguments, train_dataset=train, eval_dataset=test)
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return losses, None if test is None else trainer.evaluate()


def test_whole_sets(tiny: Make, tmp_path: Path) -> None:
    expected = trained(tiny, tmp_path, ROWS)[0]
    whole = datasets.Dataset.from_list(ROWS)
    both = datasets.DatasetDict(train=whole, test=whole).map(lambda row: {"length": len(row["input_ids"])})
    for train in (whole, whole.with_format("torch"), both["train"]):
        losses, found = trained(tiny, tmp_path, train, both)
        assert losses == expected
        assert {"eval_train_loss", "eval_test_loss"} <= found.keys()


def test_streams(tiny: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in ROWS))
    expected = trained(tiny, tmp_path, Stream(ROWS))[0]
    stream = datasets.load_dataset("json", data_files=str(path), split="train", streaming=True)
    assert trained(tiny, tmp_path, stream)[0] == expected
    assert trained(tiny, tmp_path, datasets.Dataset.from_list(ROWS).to_iterable_dataset())[0] == expected
    shuffled = datasets.Dataset.from_list(ROWS).to_iterable_dataset().shuffle(seed=1, buffer_size=8)
    losses = trained(tiny, tmp_path, shuffled)[0]
    assert losses != expected
    assert losses == trained(tiny, tmp_path, shuffled)[0]


class Stream:
    """Rows that can only be iterated."""

    def __init__(self, rows: Any) -> None:
        self.rows = rows

    def __iter__(self) -> Any:
        return iter(self.rows)


def test_texts_in_a_pipeline(models: Path) -> None:
    texts = datasets.Dataset.from_list(ROWS[:4])
    read = pipeline("feature-extraction", model=models / "minilm")
    expected = [read(row["text"]) for row in ROWS[:4]]
    for given in (texts["text"], (row["text"] for row in texts.to_iterable_dataset())):
        for found, wanted in zip(read(given, batch_size=2), expected, strict=True):
            assert np.allclose(found, wanted, atol=1e-5)


def test_images_in_a_pipeline(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    pictures = [Image.fromarray(draw.integers(0, 255, (40, 32, 3), dtype=np.uint8)) for _ in range(3)]
    for number, picture in enumerate(pictures):
        picture.save(tmp_path / f"{number}.png")
    names = [str(tmp_path / f"{number}.png") for number in range(3)]
    held = datasets.Dataset.from_dict({"image": names}).cast_column("image", datasets.Image())
    save_picture_model(tmp_path, "image-classification")
    see = pipeline("image-classification", model=tmp_path, device="cpu")
    expected = [see(picture) for picture in pictures]
    assert list(see(held["image"])) == expected
    assert list(see(row["image"] for row in held.to_iterable_dataset())) == expected
    assert list(see(held.to_iterable_dataset())) == expected


def test_sounds_without_torchcodec(tmp_path: Path) -> None:
    """Audio(decode=False) gives a file's name or its bytes, and our pipelines read both."""
    family: Any = get_registry().get("models", "wav2vec2")
    torch.manual_seed(0)
    config = AutoConfig.for_model(**{**family.tiny, "num_labels": 3})
    AutoModelForAudioClassification.from_config(config).save_pretrained(tmp_path)
    said = {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "sampling_rate": 16000}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(said))
    hear = pipeline("audio-classification", model=tmp_path, device="cpu")
    sound = np.random.default_rng(0).standard_normal(16000).astype(np.float32) / 10
    soundfile.write(tmp_path / "one.wav", sound, 16000, subtype="FLOAT")
    expected = hear(sound)
    path = str(tmp_path / "one.wav")
    named = datasets.Dataset.from_dict({"audio": [path]}).cast_column("audio", datasets.Audio(decode=False))
    inside = datasets.Dataset.from_dict({"audio": [{"bytes": (tmp_path / "one.wav").read_bytes(), "path": None}]})
    arrays = datasets.Dataset.from_dict({"audio": [{"array": sound, "sampling_rate": 16000}]})
    for held in (named, inside, arrays):
        assert list(hear(held["audio"])) == [expected]
        assert list(hear(held.to_iterable_dataset())) == [expected]


def test_the_document(documented: Callable[..., Any], checkpoint: Path) -> None:
    assert documented("datasets", checkpoint)["trainer"].state.global_step == 2
