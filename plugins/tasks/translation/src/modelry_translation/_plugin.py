"""What the registry reads of this package."""

from modelry_registry import Registrar, Task, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the task."""
    registrar.task(
        Task(
            name="translation",
            pipeline="modelry_translation.pipeline:TranslationPipeline",
            heads=("seq2seq-lm",),
            preprocessors=("tokenizer",),
            implied=False,
            inputs=("text",),
            outputs=("text",),
            help="Say in one language what a text says in another.",
        )
    )
