"""Images to pixel values and predictions back to boxes, maps and depth: one processor that does what its file says.

A family whose preprocessing is configuration only names this class. One with further steps subclasses it.
"""

import difflib
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from modelry.errors import PreprocessorError
from modelry.preprocessing.configured_preprocessor import ConfiguredPreprocessor, PreprocessorParameters
from modelry.preprocessing.features import BatchFeature
from modelry.preprocessing.images.parameters import ImageParameters
from modelry.preprocessing.images.published import WITH_STEPS_OF_THEIR_OWN, published_name
from modelry.preprocessing.tensors import as_tensor, check_tensor_type

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from modelry.preprocessing.images.sizes import Extent


class ImageProcessor(ConfiguredPreprocessor):
    """Loaded from and saved as preprocessor_config.json."""

    role: ClassVar[str] = "image-processor"
    file_name: ClassVar[str] = "preprocessor_config.json"
    type_key: ClassVar[str] = "image_processor_type"
    parameters_class: ClassVar[type[PreprocessorParameters]] = ImageParameters

    def __call__(
        self,
        images: Any,
        segmentation_maps: Any = None,
        *,
        instance_id_to_semantic_id: Any = None,
        annotations: Any = None,
        return_segmentation_masks: bool | None = None,
        masks_path: Any = None,
        return_tensors: str | None = None,
        **parameters: Any,
    ) -> BatchFeature:
        """Turn what the user has into model inputs.

        Args:
            images: one or a (nested) list of: path, URL, bytes, base64 text or data: URI, PIL image, numpy array or
                torch tensor with channels first or last, nested lists of numbers. Stacks of images are taken apart.
            segmentation_maps: for training, a map of classes (H, W) for each image; of things, where the model finds
                things, with instance_id_to_semantic_id.
            instance_id_to_semantic_id: the class of each number in a map of things: one mapping, or one for each map.
            annotations, return_segmentation_masks, masks_path: for training a detector, what each image shows, as COCO
                has it; see modelry.preprocessing.images.annotations.targets_of.
            return_tensors: "pt", "np", or None for lists of arrays.
            parameters: replace this preprocessor's own for this call; allow_private=True lets URLs lead into our own
                network.

        Returns:
            pixel_values (N, C, H, W); pixel_mask (N, H, W) where images are padded to one size; labels (N, H, W) of
            segmentation_maps, or, for models that find things, mask_labels (things, H, W) and class_labels (things,)
            of each image; or labels of annotations, a dictionary for each image.

        Raises:
            PreprocessorError: an unknown parameter, or an image that cannot be used; names it.
        """
        from modelry.preprocessing.images.geometry import arranged, extent
        from modelry.preprocessing.images.loading import each_image, load
        from modelry.preprocessing.images.threads import each

        check_tensor_type(return_tensors)
        allow_private = parameters.pop("allow_private", None)
        chosen = cast(ImageParameters, changed(self, parameters))

        if instance_id_to_semantic_id is not None and not (
            chosen.published.maps_are_masks and segmentation_maps is not None
        ):
            raise PreprocessorError(
                "instance_id_to_semantic_id goes with segmentation_maps, in processors of models that find things"
            )

        if annotations is not None and (not chosen.published.finds_objects or chosen.do_center_crop):
            raise PreprocessorError(
                "annotations go with processors of detectors such as DETR, whose images are not cropped"
            )

        def prepared(name: str, value: Any) -> "tuple[np.ndarray, Extent]":
            picture = load(value, name, format=chosen.input_data_format, allow_private=allow_private)
            return arranged(picture, chosen, name), extent(picture)

        found = each(prepared, list(each_image(images)))
        pictures = [picture for picture, _ in found]
        made = self.assemble(pictures, chosen, return_tensors)
        if annotations is not None:
            from modelry.preprocessing.images.annotations import targets_of

            padded = [values.shape[-2:] for values in made["pixel_values"]]
            sizes = [
                (own, picture.shape[:2], tuple(whole)) for (picture, own), whole in zip(found, padded, strict=True)
            ]
            targets = targets_of(
                annotations, chosen, sizes, masks_path=masks_path, with_masks=return_segmentation_masks
            )
            made["labels"] = [BatchFeature(one, tensor_type=return_tensors) for one in targets]
        if segmentation_maps is not None:
            extents = [values.shape[-2:] for values in made["pixel_values"]]
            if chosen.published.maps_are_masks:
                from modelry.preprocessing.images.object_masks import object_masks

                masks = object_masks(segmentation_maps, chosen, extents, instance_id_to_semantic_id)
                for name, arrays in masks.items():  # each image has as many as it has: they never become one tensor
                    tensors = arrays if return_tensors is None else [as_tensor(name, a, return_tensors) for a in arrays]
                    made[name] = tensors
            else:
                from modelry.preprocessing.images.label_maps import label_maps

                labels = label_maps(segmentation_maps, chosen, extents)
                made["labels"] = labels if return_tensors is None else as_tensor("labels", labels, return_tensors)
        return made

    preprocess = __call__

    def assemble(
        self, pictures: "Sequence[np.ndarray]", parameters: ImageParameters, return_tensors: str | None
    ) -> BatchFeature:
        """Model inputs of arranged images (H, W, C). A family that cuts them into patches does it here."""
        from modelry.preprocessing.images.values import batched

        values, mask = batched(pictures, parameters, together=return_tensors is not None)
        found: dict[str, Any] = {"pixel_values": values if return_tensors else list(values)}
        if mask is not None:
            found["pixel_mask"] = mask if return_tensors else list(mask)
        return BatchFeature(found, tensor_type=return_tensors)

    def to_dict(self) -> dict[str, Any]:
        """The values of the file, under the name of the published processor that wrote it."""
        values = self.parameters.model_dump(mode="json", exclude_none=True)
        return {**values, self.type_key: values.get(self.type_key) or type(self).__name__}

    @classmethod
    def _check(cls, values: Mapping[str, Any], where: str) -> PreprocessorParameters:
        if cls is ImageProcessor:
            refuse_other_steps(values, where, WITH_STEPS_OF_THEIR_OWN)
        return super()._check(values, where)

    @property
    def _masks_as_predicted(self) -> bool:
        return cast(ImageParameters, self.parameters).published.masks_as_predicted

    def post_process_object_detection(
        self, outputs: Any, threshold: float = 0.5, target_sizes: Any = None
    ) -> "list[dict[str, Tensor]]":
        """Boxes in pixels. See modelry.preprocessing.images.detection.found_objects."""
        from modelry.preprocessing.images.detection import found_objects

        return found_objects(outputs, threshold=threshold, target_sizes=target_sizes)

    def post_process_semantic_segmentation(
        self, outputs: Any, target_sizes: Any = None, return_segmentation_scores: bool = False
    ) -> list[Any]:
        """A map of classes for each image. See modelry.preprocessing.images.segmentation.class_maps."""
        from modelry.preprocessing.images.segmentation import class_maps

        return class_maps(
            outputs,
            target_sizes=target_sizes,
            with_scores=return_segmentation_scores,
            as_predicted=self._masks_as_predicted,
        )

    def post_process_instance_segmentation(
        self,
        outputs: Any,
        threshold: float = 0.5,
        mask_threshold: float = 0.5,
        overlap_mask_area_threshold: float = 0.8,
        target_sizes: Any = None,
        return_coco_annotation: bool = False,
        return_binary_maps: bool = False,
    ) -> list[dict[str, Any]]:
        """Things apart. See modelry.preprocessing.images.segments.instances."""
        from modelry.preprocessing.images.segments import instances

        return instances(
            outputs,
            threshold=threshold,
            mask_threshold=mask_threshold,
            overlap=overlap_mask_area_threshold,
            target_sizes=target_sizes,
            as_predicted=self._masks_as_predicted,
            run_lengths=return_coco_annotation,
            binary_maps=return_binary_maps,
        )

    def post_process_panoptic_segmentation(
        self,
        outputs: Any,
        threshold: float = 0.5,
        mask_threshold: float = 0.5,
        overlap_mask_area_threshold: float = 0.8,
        label_ids_to_fuse: Collection[int] | None = None,
        target_sizes: Any = None,
    ) -> list[dict[str, Any]]:
        """Every pixel in one segment. See modelry.preprocessing.images.segments.panoptic."""
        from modelry.preprocessing.images.segments import panoptic

        return panoptic(
            outputs,
            threshold=threshold,
            mask_threshold=mask_threshold,
            overlap=overlap_mask_area_threshold,
            fused=frozenset(label_ids_to_fuse or ()),
            target_sizes=target_sizes,
            as_predicted=self._masks_as_predicted,
        )

    def post_process_depth_estimation(self, outputs: Any, target_sizes: Any = None) -> "list[dict[str, Tensor]]":
        """Depth in each image's own size. See modelry.preprocessing.images.depth.depth_maps."""
        from modelry.preprocessing.images.depth import depth_maps

        return depth_maps(outputs, target_sizes=target_sizes)


def changed(
    processor: ConfiguredPreprocessor, changes: Mapping[str, Any], *, without: Collection[str] = ()
) -> PreprocessorParameters:
    """A processor's parameters with some replaced, for one call; None leaves one as it is.

    Args:
        without: parameters whose own values are forgotten.

    Raises:
        PreprocessorError: there is no such parameter, or its value is impossible.
    """
    own = processor.parameters
    if not changes:
        return own
    known = {*type(own).model_fields, *(own.model_extra or ())}
    where = type(processor).__name__
    for name in changes:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise PreprocessorError(f"{where} has no parameter {name!r}{f'; did you mean {near[0]}?' if near else ''}")
    given = {name: value for name, value in changes.items() if value is not None}
    return processor._check({**own.model_dump(exclude=set(without)), **given}, where)


def refuse_other_steps(values: Mapping[str, Any], where: str, names: Collection[str]) -> None:
    """
    Raises:
        PreprocessorError: the file is of a published processor among `names`, which does more than its keys say.
    """
    name = published_name(values)
    if name in names:
        raise PreprocessorError(
            f"{where} is of {name}'s processor, which does more than its keys say; a plugin of that family brings "
            "its own"
        )
