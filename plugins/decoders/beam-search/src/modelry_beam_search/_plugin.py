"""What the registry reads."""

from modelry_registry import Decoder, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the strategy."""
    registrar.decoder(
        Decoder(
            name="beam-search",
            decode="modelry_beam_search.decoding:decode",
            parameters="modelry_beam_search.decoding:BeamSearchParameters",
            streams=False,
            papers=("https://arxiv.org/abs/1609.08144", "https://arxiv.org/abs/1903.06059"),
            help="Follows num_beams texts at a time and returns the most likely; with do_sample=True it draws them.",
        )
    )
