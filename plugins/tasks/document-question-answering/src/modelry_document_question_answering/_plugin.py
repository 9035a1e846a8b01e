"""What the registry reads of this package."""

from modelry_registry import Registrar, Task, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the task."""
    registrar.task(
        Task(
            name="document-question-answering",
            pipeline="modelry_document_question_answering.pipeline:DocumentQuestionAnsweringPipeline",
            heads=("document-question-answering", "image-text-to-text"),
            preprocessors=("tokenizer", "image-processor"),
            inputs=("image", "question"),
            outputs=("text",),
            help="Answer a question about a scan or a PDF file.",
        )
    )
