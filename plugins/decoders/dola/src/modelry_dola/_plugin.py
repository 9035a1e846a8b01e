"""What the registry reads."""

from modelry_registry import Decoder, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the strategy."""
    registrar.decoder(
        Decoder(
            name="dola",
            decode="modelry_dola.decoding:decode",
            parameters="modelry_dola.decoding:DolaParameters",
            papers=("https://arxiv.org/abs/2309.03883",),
            help="Contrasts the last layer with an early one of dola_layers (low, high, a list); greedy or do_sample.",
        )
    )
