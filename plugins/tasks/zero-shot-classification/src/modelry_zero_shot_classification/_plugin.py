"""What the registry reads of this package."""

from modelry_registry import Registrar, Task, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the task."""
    registrar.task(
        Task(
            name="zero-shot-classification",
            pipeline="modelry_zero_shot_classification.pipeline:ZeroShotClassificationPipeline",
            heads=("sequence-classification",),
            preprocessors=("tokenizer",),
            implied=False,
            inputs=("text", "labels"),
            outputs=("label",),
            help="Say which of some labels fit a text, by a model of entailment.",
            example={
                "parameters": {"candidate_labels": ["rain", "the sea", "inn"]},
                "config": {"id2label": {0: "contradiction", 1: "neutral", 2: "entailment"}},
            },
        )
    )
