"""What the registry reads."""

from modelry_registry import Callback, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the callback."""
    registrar.callback(
        Callback(
            name="trackio",
            callback="modelry_trackio.callback:TrackioCallback",
            reports=True,
            help="Curves in trackio.",
        )
    )
