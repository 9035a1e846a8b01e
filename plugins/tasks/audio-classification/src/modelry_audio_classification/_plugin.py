"""What the registry reads of this package."""

from modelry_registry import Registrar, Task, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the task."""
    registrar.task(
        Task(
            name="audio-classification",
            pipeline="modelry_audio_classification.pipeline:AudioClassificationPipeline",
            heads=("audio-classification",),
            preprocessors=("feature-extractor",),
            inputs=("audio",),
            outputs=("label",),
            help="Give a sound its labels.",
        )
    )
