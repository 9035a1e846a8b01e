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
            example={
                "items": (
                    {"question": "where is the inn?", "context": "the inn is by the sea"},
                    {"question": "who came?", "context": "then the rain came and the tin roof is a sea of rain, " * 3},
                    {"question": "a roof?", "context": "tin"},
                )
            },
        )
    )
