"""What the registry reads of this package."""

from modelry_registry import Registrar, Task, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the task."""
    registrar.task(
        Task(
            name="image-segmentation",
            pipeline="modelry_image_segmentation.pipeline:ImageSegmentationPipeline",
            heads=("image-segmentation", "universal-segmentation", "instance-segmentation", "semantic-segmentation"),
            preprocessors=("image-processor",),
            inputs=("image",),
            outputs=("mask", "label"),
            help="Find what is on an image, pixel by pixel.",
        )
    )
