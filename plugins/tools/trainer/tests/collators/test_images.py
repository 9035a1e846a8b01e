"""Pictures: what the processor makes of the batch, with labels of every kind."""

import numpy as np
import pytest
import torch

from modelry.errors import ParameterError
from modelry.preprocessing import ImageProcessor
from modelry_trainer.collators import DataCollatorForImages


@pytest.fixture
def processor() -> ImageProcessor:
    values = {"do_resize": True, "size": {"height": 8, "width": 8}, "do_rescale": True, "do_normalize": False}
    return ImageProcessor(**values)


def pictures() -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (6 + 3 * number, 9, 3), dtype=np.uint8) for number in range(3)]


def test_pictures_of_different_sizes_and_their_classes(processor: ImageProcessor) -> None:
    rows = [{"image": picture, "label": number} for number, picture in enumerate(pictures())]
    batch = DataCollatorForImages(processor)(rows)
    assert set(batch) == {"pixel_values", "labels"}
    assert torch.equal(batch["pixel_values"], processor(pictures(), return_tensors="pt")["pixel_values"])
    assert batch["labels"].tolist() == [0, 1, 2]
    assert batch["labels"].dtype == torch.int64


def test_pictures_prepared_before(processor: ImageProcessor) -> None:
    ready = processor(pictures(), return_tensors="pt")["pixel_values"]
    several = [{"pixel_values": one, "labels": [0.0, 1.0]} for one in ready]
    batch = DataCollatorForImages(processor)(several)
    assert torch.equal(batch["pixel_values"], ready)
    assert batch["labels"].dtype == torch.float32
    assert "labels" not in DataCollatorForImages(processor)([{"pixel_values": one.numpy()} for one in ready])


def test_a_class_for_each_pixel(processor: ImageProcessor) -> None:
    maps = [np.full(picture.shape[:2], number) for number, picture in enumerate(pictures())]
    rows = [{"picture": one, "segmentation_map": classes} for one, classes in zip(pictures(), maps, strict=True)]
    batch = DataCollatorForImages(processor, image_column="picture")(rows)
    assert batch["labels"].shape == (3, 8, 8)
    assert batch["labels"].unique().tolist() == [0, 1, 2]


def test_a_row_without_a_picture(processor: ImageProcessor) -> None:
    with pytest.raises(ParameterError, match="row 1 of the batch has no 'image' and no 'pixel_values'; it has label"):
        DataCollatorForImages(processor)([{"image": pictures()[0], "label": 0}, {"label": 1}])
