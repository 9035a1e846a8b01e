"""What the registry reads."""

from modelry_registry import Decoder, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the strategy."""
    registrar.decoder(
        Decoder(
            name="diverse-beam-search",
            decode="modelry_diverse_beam_search.decoding:decode",
            parameters="modelry_diverse_beam_search.decoding:DiverseBeamSearchParameters",
            streams=False,
            papers=("https://arxiv.org/abs/1610.02424",),
            help="Beam search in num_beam_groups groups; a group avoids what those before it chose at the same step.",
        )
    )
