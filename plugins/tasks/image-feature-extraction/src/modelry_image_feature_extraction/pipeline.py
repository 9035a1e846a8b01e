"""Images in, hidden states or one vector for each out.

B images of a batch   D width
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor

from modelry.errors import ConfigError
from modelry.pipelines import Pipeline, TaskParameters
from modelry.pipelines.images import compute_by_size, image_features, needed_image_processor, read_image
from modelry_image_feature_extraction.parameters import ImageFeatureExtractionParameters


class ImageFeatureExtractionPipeline(Pipeline[ImageFeatureExtractionParameters]):
    """Give the hidden states of images.

    An image is answered by nested lists that begin with its one row, as published: (1, tokens, D), or maps (1, D, rows,
    columns) of a model that has maps; with `pool` by the model's own vector for the whole image.
    """

    parameters_class: ClassVar[type[TaskParameters]] = ImageFeatureExtractionParameters

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._processor = needed_image_processor(self)

    def preprocess(self, item: Any, parameters: ImageFeatureExtractionParameters) -> Mapping[str, Any]:
        return image_features(self._processor, read_image(item), parameters, **parameters.image_processor_kwargs)

    def compute(
        self, features: Sequence[Mapping[str, Any]], parameters: ImageFeatureExtractionParameters
    ) -> Mapping[str, Any]:
        together = super().compute
        return compute_by_size(features, lambda alike: together(alike, parameters))

    def forward(self, batch: dict[str, Tensor], parameters: ImageFeatureExtractionParameters) -> Mapping[str, Any]:
        arguments: Mapping[str, Any] = batch
        out = self.model(**arguments)
        if not parameters.pool:
            return {"features": out.last_hidden_state}
        if out.get("pooler_output") is None:
            raise ConfigError(f"{type(self.model).__name__} has no pooler: leave out pool")
        return {"features": out.pooler_output}

    def postprocess(self, output: dict[str, Any], parameters: ImageFeatureExtractionParameters) -> Any:
        features: Tensor = output["features"][None]  # (1, ...)
        return features.clone() if parameters.return_tensors else features.tolist()
