"""What the registry reads."""

from modelry_registry import Decoder, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the strategy."""
    registrar.decoder(
        Decoder(
            name="contrastive-search",
            decode="modelry_contrastive_search.decoding:decode",
            parameters="modelry_contrastive_search.decoding:ContrastiveSearchParameters",
            papers=("https://arxiv.org/abs/2202.06417",),
            help="Of the top_k likeliest tokens the one whose likelihood outweighs, by penalty_alpha, its likeness to "
            "the text so far.",
        )
    )
