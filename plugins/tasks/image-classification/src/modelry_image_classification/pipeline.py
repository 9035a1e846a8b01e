"""Images in, labels and their scores out.

B images of a batch   C labels
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor

from modelry.pipelines import Pipeline, TaskParameters
from modelry.pipelines.drawing import draw_labels
from modelry.pipelines.images import compute_by_size, image_features, needed_image_processor, read_image
from modelry.pipelines.labels import scored_labels
from modelry_image_classification.parameters import ImageClassificationParameters

if TYPE_CHECKING:
    from PIL.Image import Image


class ImageClassificationPipeline(Pipeline[ImageClassificationParameters]):
    """Give images their labels.

    An image (a path, a URL, bytes, base64 text, a PIL image, an array, a tensor, or a row of a data set that holds one
    as `image`) is answered by a list of `{"label": …, "score": …}`, the best first.
    """

    parameters_class: ClassVar[type[TaskParameters]] = ImageClassificationParameters

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._processor = needed_image_processor(self)

    def preprocess(self, item: Any, parameters: ImageClassificationParameters) -> Mapping[str, Any]:
        return image_features(self._processor, read_image(item), parameters)

    def compute(
        self, features: Sequence[Mapping[str, Any]], parameters: ImageClassificationParameters
    ) -> Mapping[str, Any]:
        together = super().compute
        return compute_by_size(features, lambda alike: together(alike, parameters))

    def forward(self, batch: dict[str, Tensor], parameters: ImageClassificationParameters) -> Mapping[str, Any]:
        arguments: Mapping[str, Any] = batch
        return {"logits": self.model(**arguments).logits}  # (B, C)

    def postprocess(self, output: dict[str, Any], parameters: ImageClassificationParameters) -> Any:
        return scored_labels(output["logits"], self.model.config, parameters.function_to_apply)[: parameters.top_k]

    def display(self, answer: Any) -> str:
        return "\n".join(f"{label['score']:.4f}  {label['label']}" for label in answer)

    def draw(self, picture: "Image", answer: Any) -> "Image":
        return draw_labels(picture, [(one["label"], one["score"]) for one in answer])
