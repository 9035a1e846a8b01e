"""What the registry reads."""

from modelry_registry import Callback, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the callback."""
    registrar.callback(
        Callback(
            name="tensorboard",
            callback="modelry_tensorboard.callback:TensorBoardCallback",
            reports=True,
            help="Curves in TensorBoard.",
        )
    )
