"""What the registry reads: the command `eval`."""

from modelry_registry import Command, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the command."""
    registrar.command(
        Command(name="eval", command="modelry_lm_eval.command:evaluate", help="Evaluate a model with lm-eval's tasks.")
    )
