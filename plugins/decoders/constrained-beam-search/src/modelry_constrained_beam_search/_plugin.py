"""What the registry reads."""

from modelry_registry import Decoder, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the strategy."""
    registrar.decoder(
        Decoder(
            name="constrained-beam-search",
            decode="modelry_constrained_beam_search.decoding:decode",
            parameters="modelry_constrained_beam_search.parameters:ConstrainedBeamSearchParameters",
            streams=False,
            papers=("https://arxiv.org/abs/1704.07138", "https://arxiv.org/abs/1804.06609"),
            help="Beam search whose texts contain the words or phrases of force_words_ids or constraints.",
        )
    )
