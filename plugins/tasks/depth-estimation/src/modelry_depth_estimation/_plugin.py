"""What the registry reads of this package."""

from modelry_registry import Registrar, Task, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the task."""
    registrar.task(
        Task(
            name="depth-estimation",
            pipeline="modelry_depth_estimation.pipeline:DepthEstimationPipeline",
            heads=("depth-estimation",),
            preprocessors=("image-processor",),
            inputs=("image",),
            outputs=("depth",),
            help="Say how far every pixel of an image is.",
        )
    )
