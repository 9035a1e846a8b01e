"""What the registry reads of this package."""

from modelry_registry import Registrar, Task, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the task."""
    registrar.task(
        Task(
            name="image-text-to-text",
            pipeline="modelry_image_text_to_text.pipeline:ImageTextToTextPipeline",
            heads=("image-text-to-text", "multimodal-lm"),
            preprocessors=("processor", "image-processor"),
            inputs=("image", "video", "text", "chat"),
            outputs=("text",),
            help="Answer in a chat with images and videos, or go on with a text about them.",
        )
    )
