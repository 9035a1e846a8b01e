"""What the registry reads."""

from modelry_registry import Decoder, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the strategy."""
    registrar.decoder(
        Decoder(
            name="constrained",
            decode="modelry_constrained.decoding:decode",
            parameters="modelry_constrained.parameters:ConstrainedParameters",
            papers=("https://arxiv.org/abs/2305.13971", "https://arxiv.org/abs/2307.09702"),
            help="Answers that match a JSON schema, a regular expression, a grammar or one of several choices.",
        )
    )
