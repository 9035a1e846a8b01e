"""What the registry reads of this package."""

from modelry_registry import Registrar, Task, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the task."""
    registrar.task(
        Task(
            name="visual-question-answering",
            pipeline="modelry_visual_question_answering.pipeline:VisualQuestionAnsweringPipeline",
            heads=("image-text-to-text", "multimodal-lm"),
            implied=False,
            preprocessors=("processor", "image-processor"),
            inputs=("image", "text"),
            outputs=("text",),
            help="Answer a question about an image.",
        )
    )
