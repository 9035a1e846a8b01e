"""What the registry reads."""

from modelry_registry import Callback, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the callback."""
    registrar.callback(
        Callback(
            name="wandb",
            callback="modelry_wandb.callback:WandbCallback",
            reports=True,
            help="Curves in Weights & Biases.",
        )
    )
