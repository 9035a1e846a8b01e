"""What the registry reads of this package."""

from modelry_registry import Registrar, Task, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the task."""
    registrar.task(
        Task(
            name="object-detection",
            pipeline="modelry_object_detection.pipeline:ObjectDetectionPipeline",
            heads=("object-detection",),
            preprocessors=("image-processor",),
            inputs=("image",),
            outputs=("box", "label"),
            help="Find the objects on an image.",
        )
    )
