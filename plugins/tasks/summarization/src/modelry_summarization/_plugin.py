"""What the registry reads of this package."""

from modelry_registry import Registrar, Task, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the task."""
    registrar.task(
        Task(
            name="summarization",
            pipeline="modelry_summarization.pipeline:SummarizationPipeline",
            heads=("seq2seq-lm",),
            preprocessors=("tokenizer",),
            implied=False,
            inputs=("text",),
            outputs=("text",),
            help="Say what a text says, in fewer words.",
        )
    )
