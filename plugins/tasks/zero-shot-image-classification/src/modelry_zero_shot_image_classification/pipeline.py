"""Images in, the labels that were asked about and their scores out.

B images of a batch   M labels   P width of the space of images and texts
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from modelry.errors import ConfigError, ParameterError, PreprocessorError
from modelry.heads.image_text import ImageText, unit
from modelry.pipelines import Pipeline, TaskParameters
from modelry.pipelines.drawing import draw_labels
from modelry.pipelines.images import compute_by_size, image_features, needed_image_processor, read_image
from modelry_zero_shot_image_classification.parameters import ZeroShotImageClassificationParameters

if TYPE_CHECKING:
    from PIL.Image import Image

TEXTS_AT_ONCE = 256
"""So many texts are read in one forward pass; there may be thousands of labels."""


class ZeroShotImageClassificationPipeline(Pipeline[ZeroShotImageClassificationParameters]):
    """Say which of `candidate_labels` an image shows.

    An image (a path, a URL, bytes, base64 text, a PIL image, an array, a tensor, or a row of a data set that holds one
    as `image`) is answered by a list of `{"score": …, "label": …}`, the best first. The labels' texts are computed once
    in a call, however many images it has.

    Raises:
        ConfigError: the model does not compare images with texts.
        PreprocessorError: there is no image processor, or no tokenizer.
    """

    parameters_class: ClassVar[type[TaskParameters]] = ZeroShotImageClassificationParameters

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if not isinstance(self.model, ImageText):
            raise ConfigError(f"{type(self.model).__name__} is no modelry.heads.image_text.ImageText, which is needed")
        self._compared: ImageText = self.model
        self._processor, self._tokenizer = needed_image_processor(self), self.needed_tokenizer()

    def __call__(  # type: ignore[override]  # the ecosystem calls the first argument image
        self, image: Any = None, candidate_labels: Any = None, *, inputs: Any = None, **options: Any
    ) -> Any:
        """As every pipeline.

        Args:
            image: an image, a list of them, or anything that gives them one by one.
            candidate_labels: what it may show; the same for all images.
            inputs: another name for `image`.
            options: batch_size, on_error, progress, and the task's parameters.

        Raises:
            ParameterError: both image and inputs are given.
        """
        if image is not None and inputs is not None:
            raise ParameterError(f"{self.task!r}: image= and inputs= are two names of one thing; give one")
        if candidate_labels is not None:
            options["candidate_labels"] = candidate_labels
        return super().__call__(inputs if image is None else image, **options)

    def preprocess(self, item: Any, parameters: ZeroShotImageClassificationParameters) -> Mapping[str, Any]:
        if parameters.candidate_labels is None:
            raise PreprocessorError("nothing says what the image may show: give candidate_labels, a list of texts")
        return image_features(self._processor, read_image(item), parameters)

    def compute(
        self, features: Sequence[Mapping[str, Any]], parameters: ZeroShotImageClassificationParameters
    ) -> Mapping[str, Any]:
        together = super().compute
        return compute_by_size(features, lambda alike: together(alike, parameters))

    def forward(self, batch: dict[str, Tensor], parameters: ZeroShotImageClassificationParameters) -> Mapping[str, Any]:
        if parameters._text_embeds is None:
            parameters._text_embeds = self._embedded(parameters)
        pooled = self._compared.get_image_features(pixel_values=batch["pixel_values"]).pooler_output
        assert pooled is not None
        scores = self._compared.score(parameters._text_embeds, unit(pooled)).t()  # (B, M)
        return {"scores": self._compared.probabilities(scores.float())}

    def postprocess(self, output: dict[str, Any], parameters: ZeroShotImageClassificationParameters) -> Any:
        labels = parameters.candidate_labels or ()
        ranked = sorted(zip(output["scores"].tolist(), labels, strict=True), key=lambda one: -one[0])
        return [{"score": score, "label": label} for score, label in ranked]

    def display(self, answer: Any) -> str:
        return "\n".join(f"{label['score']:.4f}  {label['label']}" for label in answer)

    def draw(self, picture: "Image", answer: Any) -> "Image":
        return draw_labels(picture, [(one["label"], one["score"]) for one in answer])

    def _embedded(self, parameters: ZeroShotImageClassificationParameters) -> Tensor:
        """The texts of the labels as vectors of length one, (M, P)."""
        limit: int = self._compared.config.text_config.max_position_embeddings
        padding: dict[str, Any] = {"padding": True}
        if self._compared.text_padding == "max_length":
            padding = {"padding": "max_length", "max_length": limit, "truncation": True}
        found = []
        texts = parameters.texts
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            some = texts[start : start + TEXTS_AT_ONCE]
            inputs = self._tokenizer(some, return_tensors="pt", **{**padding, **parameters.tokenizer_kwargs})
            tokens = inputs["input_ids"].shape[1]
            if tokens > limit:
                shown = max(some, key=len)[:60]
                raise PreprocessorError(
                    f"of the labels' texts one has {tokens} tokens, and the model reads {limit}: shorten {shown!r}, or "
                    f"cut them with tokenizer_kwargs={{'truncation': True, 'max_length': {limit}}}"
                )
            pooled = self._compared.get_text_features(
                input_ids=inputs["input_ids"].to(self.device),
                attention_mask=inputs["attention_mask"].to(self.device) if "attention_mask" in inputs else None,
            ).pooler_output
            assert pooled is not None
            found.append(unit(pooled))
        return torch.cat(found)
