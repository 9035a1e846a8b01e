"""What the registry reads of this package."""

from modelry_registry import Registrar, Task, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the task."""
    registrar.task(
        Task(
            name="feature-extraction",
            pipeline="modelry_feature_extraction.pipeline:FeatureExtractionPipeline",
            heads=("text-encoding", "base"),
            preprocessors=("tokenizer",),
            inputs=("text",),
            outputs=("vectors",),
            help="Give the hidden states of a text, token by token.",
        )
    )
