"""Images in, what is on them out: a mask and a label for each segment.

B images of a batch   H, W height and width of an image
"""

from collections.abc import Container, Mapping, Sequence
from typing import Any, ClassVar, get_args

import numpy as np
from PIL import Image
from torch import Tensor

from modelry.errors import ParameterError
from modelry.pipelines import Pipeline, TaskParameters
from modelry.pipelines.drawing import Mark, draw_marks
from modelry.pipelines.images import compute_by_size, image_features, loaded_image, needed_image_processor
from modelry.preprocessing import BatchFeature
from modelry_image_segmentation.parameters import ImageSegmentationParameters, Subtask

_MASKS = {"masks_queries_logits": "class_queries_logits", "pred_masks": "logits"}
"""Outputs of models that predict masks, each with what says the masks' classes. Others score classes of pixels."""


class ImageSegmentationPipeline(Pipeline[ImageSegmentationParameters]):
    """Take images apart.

    An image (a path, a URL, bytes, base64 text, a PIL image, an array, a tensor, or a row of a data set that holds one
    as `image`) is answered by a list of `{"score": …, "label": …, "mask": …}`: the mask is a grey picture, as large as
    the image and white on the segment. The score is None where classes of pixels are asked for.

    A model that predicts masks (DETR, Mask2Former) does every subtask, and panoptic segmentation unless told
    otherwise; one that scores classes of pixels (SegFormer) does semantic segmentation alone.
    """

    parameters_class: ClassVar[type[TaskParameters]] = ImageSegmentationParameters

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._processor = needed_image_processor(self)

    def preprocess(self, item: Any, parameters: ImageSegmentationParameters) -> Mapping[str, Any]:
        picture, size = loaded_image(item, parameters)
        return {**image_features(self._processor, picture, parameters), "size": size}

    def compute(
        self, features: Sequence[Mapping[str, Any]], parameters: ImageSegmentationParameters
    ) -> Mapping[str, Any]:
        together = super().compute
        return compute_by_size(features, lambda alike: together(alike, parameters))

    def forward(self, batch: dict[str, Tensor], parameters: ImageSegmentationParameters) -> Mapping[str, Any]:
        arguments: Mapping[str, Any] = batch
        outputs = self.model(**arguments)
        self._chosen(outputs, parameters)  # refused here, before the other batches
        return {name: outputs[name] for name in _needed(outputs)}

    def postprocess(self, output: dict[str, Any], parameters: ImageSegmentationParameters) -> Any:
        outputs = BatchFeature(
            {name: value.float()[None] for name, value in output.items() if isinstance(value, Tensor)}
        )
        sizes = [output["size"]]
        subtask = self._chosen(output, parameters)
        if subtask == "semantic":
            (classes,) = self._processor.post_process_semantic_segmentation(outputs, target_sizes=sizes)  # (H, W)
            return [self._segment(None, label, classes == label) for label in classes.unique().tolist()]
        of_segments: Any = self._processor.post_process_panoptic_segmentation
        if subtask == "instance":
            of_segments = self._processor.post_process_instance_segmentation
        (found,) = of_segments(
            outputs,
            threshold=parameters.threshold,
            mask_threshold=parameters.mask_threshold,
            overlap_mask_area_threshold=parameters.overlap_mask_area_threshold,
            target_sizes=sizes,
        )
        return [
            self._segment(one["score"], one["label_id"], found["segmentation"] == one["id"])
            for one in found["segments_info"]
        ]

    def display(self, answer: Any) -> str:
        """A segment in a line: its score, how much of the image it is, its label."""
        lines = []
        for one in answer:
            score = "" if one["score"] is None else f"{one['score']:.4f}"
            lines.append(f"{score:6}  {_share(one['mask']):6.1%}  {one['label']}")
        return "\n".join(lines)

    def draw(self, picture: Image.Image, answer: Any) -> Image.Image:
        return draw_marks(picture, [Mark(one["label"], one["score"], mask=one["mask"]) for one in answer])

    def _chosen(self, outputs: Container[str], parameters: ImageSegmentationParameters) -> Subtask:
        """The subtask asked for, or the first of those that the model can do.

        Raises:
            ParameterError: the model cannot do it.
        """
        able: tuple[Subtask, ...] = get_args(Subtask) if len(_needed(outputs)) > 1 else ("semantic",)
        subtask = parameters.subtask
        if subtask is not None and subtask not in able:
            raise ParameterError(
                f"subtask={subtask!r} needs a model that predicts masks, and {type(self.model).__name__} scores the "
                "classes of pixels: use subtask='semantic'"
            )
        return subtask or able[0]

    def _segment(self, score: float | None, label: int, inside: Tensor) -> dict[str, Any]:
        """
        Args:
            inside: (H, W), true on the segment.
        """
        mask = Image.fromarray(inside.numpy().astype(np.uint8) * np.uint8(255))
        return {"score": score, "label": self.model.config.id2label[label], "mask": mask}


def _needed(outputs: Container[str]) -> tuple[str, ...]:
    """Names of the outputs that segments are made of: masks and their classes, or the classes of pixels alone."""
    return next(((masks, classes) for masks, classes in _MASKS.items() if masks in outputs), ("logits",))


def _share(mask: Image.Image) -> float:
    """How much of a picture is white."""
    return mask.histogram()[255] / (mask.width * mask.height)
