"""What the registry reads of this package."""

from modelry_registry import Registrar, Task, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the task."""
    registrar.task(
        Task(
            name="token-classification",
            pipeline="modelry_token_classification.pipeline:TokenClassificationPipeline",
            heads=("token-classification",),
            preprocessors=("tokenizer",),
            inputs=("text",),
            outputs=("entities",),
            help="Find the entities of a text, and where they stand.",
        )
    )
