"""What the registry reads."""

from modelry_registry import Callback, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the callback."""
    registrar.callback(
        Callback(
            name="mlflow",
            callback="modelry_mlflow.callback:MLflowCallback",
            reports=True,
            help="Curves in MLflow.",
        )
    )
