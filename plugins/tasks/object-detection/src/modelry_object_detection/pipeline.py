"""Images in, the objects on them out: a label, a score and a box for each.

B images of a batch   Q queries   K classes
"""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field
from torch import Tensor

from modelry.pipelines import Pipeline, TaskParameters
from modelry.pipelines.drawing import Mark, draw_marks
from modelry.pipelines.images import (
    PictureParameters,
    compute_by_size,
    image_features,
    loaded_image,
    needed_image_processor,
)

if TYPE_CHECKING:
    from PIL.Image import Image

SIDES = ("xmin", "ymin", "xmax", "ymax")


class ObjectDetectionParameters(PictureParameters):
    """Which objects come back."""

    threshold: float = Field(0.5, ge=0, le=1, description="objects whose class is less sure are left out")


class ObjectDetectionPipeline(Pipeline[ObjectDetectionParameters]):
    """Find objects.

    An image (a path, a URL, bytes, base64 text, a PIL image, an array, a tensor, or a row of a data set that holds one
    as `image`) is answered by a list of `{"score": …, "label": …, "box": {"xmin": …, "ymin": …, "xmax": …, "ymax": …}}`
    in whole pixels of the image, in the order of the model's queries.
    """

    parameters_class: ClassVar[type[TaskParameters]] = ObjectDetectionParameters

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._processor = needed_image_processor(self)

    def preprocess(self, item: Any, parameters: ObjectDetectionParameters) -> Mapping[str, Any]:
        picture, size = loaded_image(item, parameters)
        return {**image_features(self._processor, picture, parameters), "size": size}

    def compute(
        self, features: Sequence[Mapping[str, Any]], parameters: ObjectDetectionParameters
    ) -> Mapping[str, Any]:
        together = super().compute
        return compute_by_size(features, lambda alike: together(alike, parameters))

    def forward(self, batch: dict[str, Tensor], parameters: ObjectDetectionParameters) -> Mapping[str, Any]:
        arguments: Mapping[str, Any] = batch
        outputs = self.model(**arguments)
        return {"logits": outputs.logits, "pred_boxes": outputs.pred_boxes}  # (B, Q, K + 1) and (B, Q, 4)

    def postprocess(self, output: dict[str, Any], parameters: ObjectDetectionParameters) -> Any:
        outputs = SimpleNamespace(**{name: output[name].float()[None] for name in ("logits", "pred_boxes")})
        (found,) = self._processor.post_process_object_detection(
            outputs, threshold=parameters.threshold, target_sizes=[output["size"]]
        )
        names = self.model.config.id2label
        boxes = found["boxes"].int().tolist()
        return [
            {"score": score, "label": names[label], "box": dict(zip(SIDES, box, strict=True))}
            for score, label, box in zip(found["scores"].tolist(), found["labels"].tolist(), boxes, strict=True)
        ]

    def display(self, answer: Any) -> str:
        """An object in a line: its score, its box, its label."""
        lines = []
        for one in answer:
            left, top, right, bottom = (one["box"][side] for side in SIDES)
            lines.append(f"{one['score']:.4f}  ({left}, {top}) to ({right}, {bottom})  {one['label']}")
        return "\n".join(lines)

    def draw(self, picture: "Image", answer: Any) -> "Image":
        boxes = [[one["box"][side] for side in SIDES] for one in answer]
        return draw_marks(
            picture, [Mark(one["label"], one["score"], box=box) for one, box in zip(answer, boxes, strict=True)]
        )
