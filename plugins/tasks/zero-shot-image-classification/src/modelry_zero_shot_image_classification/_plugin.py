"""What the registry reads of this package."""

from modelry_registry import Registrar, Task, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the task."""
    registrar.task(
        Task(
            name="zero-shot-image-classification",
            pipeline="modelry_zero_shot_image_classification.pipeline:ZeroShotImageClassificationPipeline",
            heads=("zero-shot-image-classification",),
            preprocessors=("tokenizer", "image-processor"),
            inputs=("image",),
            outputs=("label",),
            help="Say which of some texts fits an image.",
        )
    )
