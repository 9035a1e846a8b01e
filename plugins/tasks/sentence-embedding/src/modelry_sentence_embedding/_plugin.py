"""What the registry reads of this package."""

from modelry_registry import Registrar, Task, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the task."""
    registrar.task(
        Task(
            name="sentence-embedding",
            pipeline="modelry_sentence_embedding.pipeline:SentenceEmbeddingPipeline",
            heads=("text-encoding", "base"),
            preprocessors=("tokenizer",),
            implied=False,
            inputs=("text",),
            outputs=("vector",),
            help="Turn each text into one vector, by which texts can be compared.",
        )
    )
