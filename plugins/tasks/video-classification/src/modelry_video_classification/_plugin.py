"""What the registry reads of this package."""

from modelry_registry import Registrar, Task, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the task."""
    registrar.task(
        Task(
            name="video-classification",
            pipeline="modelry_video_classification.pipeline:VideoClassificationPipeline",
            heads=("video-classification",),
            preprocessors=("video-processor",),
            inputs=("video",),
            outputs=("label",),
            help="Give a video its labels.",
        )
    )
