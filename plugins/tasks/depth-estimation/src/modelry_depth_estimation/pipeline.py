"""Images in, the distance of each of their pixels out.

B images of a batch   H, W height and width of the prediction
"""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
from PIL import Image
from torch import Tensor

from modelry.pipelines import Pipeline, TaskParameters
from modelry.pipelines.drawing import draw_map
from modelry.pipelines.images import (
    PictureParameters,
    compute_by_size,
    image_features,
    loaded_image,
    needed_image_processor,
)


class DepthEstimationPipeline(Pipeline[PictureParameters]):
    """Estimate depth.

    An image (a path, a URL, bytes, base64 text, a PIL image, an array, a tensor, or a row of a data set that holds one
    as `image`) is answered by `{"predicted_depth": …, "depth": …}`: a tensor in the image's own size and the model's
    unit, and a grey picture from the smallest (black) to the largest value (white).
    """

    parameters_class: ClassVar[type[TaskParameters]] = PictureParameters

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._processor = needed_image_processor(self)

    def preprocess(self, item: Any, parameters: PictureParameters) -> Mapping[str, Any]:
        picture, size = loaded_image(item, parameters)
        return {**image_features(self._processor, picture, parameters), "size": size}

    def compute(self, features: Sequence[Mapping[str, Any]], parameters: PictureParameters) -> Mapping[str, Any]:
        together = super().compute
        return compute_by_size(features, lambda alike: together(alike, parameters))

    def forward(self, batch: dict[str, Tensor], parameters: PictureParameters) -> Mapping[str, Any]:
        arguments: Mapping[str, Any] = batch
        return {"predicted_depth": self.model(**arguments).predicted_depth}  # (B, H, W)

    def postprocess(self, output: dict[str, Any], parameters: PictureParameters) -> Any:
        outputs = SimpleNamespace(predicted_depth=output["predicted_depth"].float()[None])
        (found,) = self._processor.post_process_depth_estimation(outputs, target_sizes=[output["size"]])
        return {"predicted_depth": found["predicted_depth"], "depth": as_picture(found["predicted_depth"])}

    def display(self, answer: Any) -> str:
        depth = answer["predicted_depth"]
        height, width = depth.shape
        return f"{width} x {height} pixels, depth from {float(depth.min()):.4g} to {float(depth.max()):.4g}"

    def draw(self, picture: Image.Image, answer: Any) -> Image.Image:
        depth = answer["predicted_depth"]
        return draw_map(picture, answer["depth"], float(depth.min()), float(depth.max()))


def as_picture(depth: Tensor) -> Image.Image:
    """Depth (H, W) as grey: the smallest value black, the largest white; all black where all are alike."""
    values = depth.cpu().numpy()
    low, high = values.min(), values.max()
    share = (values - low) / (high - low) if high > low else np.zeros_like(values)
    return Image.fromarray((share * 255).astype(np.uint8))
