"""What the registry reads of this package."""

from modelry_registry import Registrar, Task, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the task."""
    registrar.task(
        Task(
            name="text2text-generation",
            pipeline="modelry_text2text_generation.pipeline:Text2TextGenerationPipeline",
            heads=("seq2seq-lm",),
            preprocessors=("tokenizer",),
            inputs=("text",),
            outputs=("text",),
            help="Answer a text by a text, as an encoder-decoder was trained to.",
        )
    )
