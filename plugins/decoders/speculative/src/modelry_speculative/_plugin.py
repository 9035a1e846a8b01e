"""What the registry reads."""

from modelry_registry import Decoder, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the strategy."""
    registrar.decoder(
        Decoder(
            name="speculative",
            decode="modelry_speculative.decoding:decode",
            parameters="modelry_speculative.parameters:SpeculativeParameters",
            papers=("https://arxiv.org/abs/2211.17192", "https://arxiv.org/abs/2302.01318"),
            help="Drafts of a small model, of the model's first layers or of the text itself, checked many at a time.",
        )
    )
