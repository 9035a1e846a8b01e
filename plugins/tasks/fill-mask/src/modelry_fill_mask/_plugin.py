"""What the registry reads of this package."""

from modelry_registry import Registrar, Task, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the task."""
    registrar.task(
        Task(
            name="fill-mask",
            pipeline="modelry_fill_mask.pipeline:FillMaskPipeline",
            heads=("masked-lm",),
            preprocessors=("tokenizer",),
            inputs=("text",),
            outputs=("text",),
            help="Say what may stand under the masks of a text.",
        )
    )
