"""What the registry reads of this package."""

from modelry_registry import Registrar, Task, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the task."""
    registrar.task(
        Task(
            name="zero-shot-classification",
            pipeline="modelry_zero_shot_classification.pipeline:ZeroShotClassificationPipeline",
            heads=("zero-shot-classification", "sequence-classification"),  # a classifier's own task is another
            preprocessors=("tokenizer",),
            inputs=("text", "labels"),
            outputs=("label",),
            help="Say which of some labels fit a text, by a model of entailment.",
        )
    )
