"""What the registry reads of this package."""

from modelry_registry import Registrar, Task, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the task."""
    registrar.task(
        Task(
            name="image-feature-extraction",
            pipeline="modelry_image_feature_extraction.pipeline:ImageFeatureExtractionPipeline",
            heads=("base",),
            preprocessors=("image-processor",),
            inputs=("image",),
            outputs=("features",),
            help="Give the hidden states of an image, or one vector for it.",
        )
    )
