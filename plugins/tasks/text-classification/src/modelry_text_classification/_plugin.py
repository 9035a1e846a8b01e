"""What the registry reads of this package."""

from modelry_registry import Registrar, Task, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the task."""
    registrar.task(
        Task(
            name="text-classification",
            pipeline="modelry_text_classification.pipeline:TextClassificationPipeline",
            heads=("sequence-classification",),
            preprocessors=("tokenizer",),
            inputs=("text", "text-pair"),
            outputs=("label",),
            help="Give a text, or a pair of texts, its labels.",
            example={"parameters": {"top_k": 2}},
        )
    )
