"""What tasks that read images share: reading an item, its features, and batches of images of several sizes.

C channels   H, W height and width in pixels
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

from modelry.errors import PreprocessorError
from modelry.pipelines.batching import split
from modelry.pipelines.inputs import read_item
from modelry.pipelines.urls import UrlParameters, fetched

if TYPE_CHECKING:
    from modelry.pipelines.stages import Pipeline
    from modelry.preprocessing import ImageProcessor

Features = Mapping[str, Any]


class PictureParameters(UrlParameters):
    """Keywords of a task that reads images."""


def needed_image_processor(pipeline: "Pipeline[Any]") -> "ImageProcessor":
    """The pipeline's image processor.

    Raises:
        PreprocessorError: there is none.
    """
    if pipeline.image_processor is None:
        raise PreprocessorError(f"{pipeline.task} needs an image processor: pass image_processor=")
    return pipeline.image_processor


def read_image(item: Any) -> Any:
    """An item that is an image, or a row of a data set that holds one as `image`.

    Raises:
        PreprocessorError: it is a row without one, or several images.
    """
    return read_item(item, key="image", dims=3)


def loaded_image(item: Any, parameters: PictureParameters) -> tuple[Any, tuple[int, int]]:
    """An item's image as a picture that a processor takes, and its (height, width), as it is held upright.

    Raises:
        PreprocessorError: it is no image.
    """
    from modelry.preprocessing.images.loading import load

    picture = load(fetched(read_image(item), parameters, name="the image"), "the image")
    size = picture.shape[:2] if hasattr(picture, "shape") else picture.size[::-1]
    return picture, (int(size[0]), int(size[1]))


def image_features(
    processor: "ImageProcessor", image: Any, parameters: PictureParameters, **changes: Any
) -> dict[str, Tensor]:
    """What the model reads of one image: pixel_values (C, H, W), and what else the processor makes.

    Args:
        changes: replace the processor's own parameters.

    Raises:
        PreprocessorError: it is no image.
    """
    made = processor([fetched(image, parameters, name="the image")], return_tensors="pt", **changes)
    return {name: value[0] for name, value in made.items() if isinstance(value, Tensor)}


def compute_by_size(
    features: Sequence[Features],
    compute: Callable[[Sequence[Features]], Features],
    *,
    by: str | Callable[[Features], Hashable] = "pixel_values",
) -> Features:
    """Run items of one size together, and others apart: padding would change what a model sees or hears.

    Args:
        features: of each item of a batch.
        compute: items of one size -> tensors that begin with their number.
        by: the feature whose shape decides, or what is equal of items that run together.

    Returns:
        For each name the tensors of the items, in order: where there were several sizes a list of them, on the CPU.
    """
    groups: dict[Hashable, list[int]] = {}
    for number, one in enumerate(features):
        groups.setdefault(one[by].shape if isinstance(by, str) else by(one), []).append(number)
    if len(groups) == 1:
        return compute(features)
    rows: list[Features] = [{}] * len(features)
    for numbers in groups.values():
        apart = split(compute([features[number] for number in numbers]), len(numbers))
        for number, row in zip(numbers, apart, strict=True):
            rows[number] = row
    return {name: [row[name] for row in rows] for name in rows[0]}
