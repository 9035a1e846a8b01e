"""What the registry reads of this package."""

from modelry_registry import Registrar, Task, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the task."""
    registrar.task(
        Task(
            name="image-classification",
            pipeline="modelry_image_classification.pipeline:ImageClassificationPipeline",
            heads=("image-classification",),
            preprocessors=("image-processor",),
            inputs=("image",),
            outputs=("label",),
            help="Give an image its labels.",
        )
    )
