"""The interfaces of image, video, sound and composed processors, kept by toys: loading, saving, checking, composing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from pydantic import Field

from modelry.errors import NotFound, PreprocessorError
from modelry.preprocessing import BatchFeature, FeatureExtractor, ImageProcessor, Processor, Tokenizer, VideoProcessor
from modelry.preprocessing.configured_preprocessor import PreprocessorParameters


class ToyImageParameters(PreprocessorParameters):
    """What the toy reads."""

    scale: float = Field(1.0, gt=0)
    size: dict[str, int] = {"height": 2, "width": 2}  # noqa: RUF012 - pydantic copies it


class ToyImageProcessor(ImageProcessor):
    """Multiplies."""

    parameters_class = ToyImageParameters

    def __call__(self, images: Any, *, return_tensors: str | None = None, **parameters: Any) -> BatchFeature:
        """Multiply every image by the scale."""
        scale = parameters.get("scale", self.scale)
        several = images if isinstance(images, list) else [images]
        return BatchFeature(
            {"pixel_values": [numpy.asarray(one) * scale for one in several]}, tensor_type=return_tensors
        )


class ToyVideoProcessor(VideoProcessor):
    """Counts frames."""

    def __call__(self, videos: Any, *, return_tensors: str | None = None, **parameters: Any) -> BatchFeature:
        """Count."""
        return BatchFeature({"frames": [len(video) for video in videos]}, tensor_type=return_tensors)


class ToyFeatureExtractor(FeatureExtractor):
    """Passes waveforms on."""

    def __call__(self, raw_speech: Any, *, return_tensors: str | None = None, **parameters: Any) -> BatchFeature:
        """Pass on."""
        return BatchFeature({"input_values": [raw_speech]}, tensor_type=return_tensors)


class ToyProcessor(Processor):
    """Text with images."""

    parts = {"tokenizer": "modelry.preprocessing.tokenizer:Tokenizer", "image_processor": ToyImageProcessor}  # noqa: RUF012  only read

    def __call__(
        self, text: Any = None, images: Any = None, videos: Any = None, audio: Any = None, **options: Any
    ) -> BatchFeature:
        """Call both parts."""
        kind = options.pop("return_tensors", None)
        return BatchFeature(
            {**self.tokenizer(text, return_tensors=kind), **self.image_processor(images, return_tensors=kind)}
        )


@pytest.mark.parametrize(
    ("cls", "file", "key"),
    [
        (ToyImageProcessor, "preprocessor_config.json", "image_processor_type"),
        (ToyVideoProcessor, "video_preprocessor_config.json", "video_processor_type"),
        (ToyFeatureExtractor, "preprocessor_config.json", "feature_extractor_type"),
    ],
)
def test_save_and_load(cls: Any, file: str, key: str, tmp_path: Path) -> None:
    made = cls(sampling_rate=16000, unknown={"kept": True})
    assert made.save_pretrained(tmp_path) == (str(tmp_path / file),)
    saved = json.loads((tmp_path / file).read_text())
    assert saved[key] == cls.__name__
    loaded = cls.from_pretrained(tmp_path, sampling_rate=8000)
    assert loaded.sampling_rate == 8000
    assert loaded.unknown == {"kept": True}
    assert cls.from_pretrained(tmp_path / file).to_dict() == made.to_dict()
    (tmp_path / "subfolder").mkdir()
    with pytest.raises(NotFound, match=f"holds no {cls.role.replace('-', ' ')}: looked for {file}"):
        cls.from_pretrained(tmp_path, subfolder="subfolder")


def test_interfaces_are_not_made() -> None:
    for cls in (FeatureExtractor,):
        with pytest.raises(TypeError, match="abstract"):
            cls()  # type: ignore[abstract]


def test_calls_and_attributes() -> None:
    processor = ToyImageProcessor(scale=2.0)
    assert processor.size == {"height": 2, "width": 2}
    found = processor([numpy.ones((2, 2))], return_tensors="pt")
    assert found["pixel_values"].shape == (1, 2, 2)
    assert found.pixel_values.sum() == 8
    assert found.to(torch.float16).pixel_values.dtype == torch.float16
    assert processor(numpy.ones(1), scale=3)["pixel_values"][0] == 3
    with pytest.raises(AttributeError, match="ToyImageProcessor has no attribute 'mean'"):
        _ = processor.mean


def test_wrong_parameters(tmp_path: Path) -> None:
    with pytest.raises(PreprocessorError, match=r"ToyImageProcessor: scale is -1: Input should be greater than 0"):
        ToyImageProcessor(scale=-1)
    (tmp_path / "preprocessor_config.json").write_text('{"scale": "big"}')
    with pytest.raises(
        PreprocessorError, match=r"preprocessor_config.json: scale is 'big': Input should be a valid number"
    ):
        ToyImageProcessor.from_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text("{")
    with pytest.raises(PreprocessorError, match=r"preprocessor_config.json is not valid JSON"):
        ToyImageProcessor.from_pretrained(tmp_path)


def test_settings_in_the_common_file(tmp_path: Path) -> None:
    """Newer publications keep every part's settings in processor_config.json."""
    (tmp_path / "processor_config.json").write_text('{"image_processor": {"scale": 4}, "processor_class": "X"}')
    assert ToyImageProcessor.from_pretrained(tmp_path).scale == 4


def test_a_processor_of_two_parts(published: Callable[[str], Path], tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_pretrained(published("gpt2"))
    made = ToyProcessor(tokenizer=tokenizer, image_processor=ToyImageProcessor(scale=2), patch_size=14)
    written = made.save_pretrained(tmp_path)
    names = {Path(path).name for path in written}
    assert {"tokenizer.json", "preprocessor_config.json", "processor_config.json", "chat_template.jinja"} <= names
    loaded = ToyProcessor.from_pretrained(tmp_path)
    assert loaded.settings == {"patch_size": 14}
    found = loaded("the cat", numpy.ones((2, 2)), return_tensors="np")
    assert found["input_ids"].tolist() == [tokenizer.encode("the cat")]
    assert found["pixel_values"].sum() == 8
    chat = [{"role": "user", "content": "hi"}]
    assert loaded.apply_chat_template(chat, tokenize=False) == tokenizer.apply_chat_template(chat, tokenize=False)
    assert loaded.decode(found["input_ids"][0]) == "the cat"
    assert loaded.batch_decode(found["input_ids"]) == ["the cat"]
    replaced = ToyProcessor.from_pretrained(
        tmp_path, chat_template="{{ 'own' }}", image_processor=ToyImageProcessor(scale=9)
    )
    assert replaced.apply_chat_template(chat, tokenize=False) == "own"
    assert replaced.image_processor.scale == 9
    replaced.save_pretrained(tmp_path)
    assert ToyProcessor.from_pretrained(tmp_path).chat_template == "{{ 'own' }}"


def test_parts_are_checked(published: Callable[[str], Path]) -> None:
    tokenizer = Tokenizer.from_pretrained(published("gpt2"))
    with pytest.raises(PreprocessorError, match=r"ToyProcessor needs image_processor= a ToyImageProcessor; .* None"):
        ToyProcessor(tokenizer=tokenizer)
    with pytest.raises(PreprocessorError, match=r"ToyProcessor needs tokenizer= a Tokenizer; it was given 3"):
        ToyProcessor(tokenizer=3, image_processor=ToyImageProcessor())


def test_push(hub: Any) -> None:
    ToyImageProcessor(scale=5).push_to_hub("me/images", token="hf_test")
    assert ToyImageProcessor.from_pretrained("me/images", token="hf_test").scale == 5
