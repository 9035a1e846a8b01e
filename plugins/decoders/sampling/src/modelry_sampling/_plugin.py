"""What the registry reads."""

from modelry_registry import Decoder, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the strategy."""
    registrar.decoder(
        Decoder(
            name="sampling",
            decode="modelry_sampling.decoding:decode",
            parameters="modelry_sampling.decoding:SamplingParameters",
            papers=("https://arxiv.org/abs/1904.09751",),
            help="The most likely token at each step, or with do_sample=True a random one.",
        )
    )
