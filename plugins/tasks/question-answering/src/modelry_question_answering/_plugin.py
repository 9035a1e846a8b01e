"""What the registry reads of this package."""

from modelry_registry import Registrar, Task, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the task."""
    registrar.task(
        Task(
            name="question-answering",
            pipeline="modelry_question_answering.pipeline:QuestionAnsweringPipeline",
            heads=("question-answering",),
            preprocessors=("tokenizer",),
            inputs=("question", "text"),
            outputs=("text",),
            help="Find the answer to a question in a text.",
        )
    )
