"""What the registry reads of this package."""

from modelry_registry import Registrar, Task, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the task."""
    registrar.task(
        Task(
            name="text-generation",
            pipeline="modelry_text_generation.pipeline:TextGenerationPipeline",
            heads=("causal-lm",),
            preprocessors=("tokenizer",),
            inputs=("text", "chat"),
            outputs=("text",),
            help="Continue a text, or answer in a chat.",
        )
    )
