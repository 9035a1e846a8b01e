"""What a call can ask for beside the text, by the names of GenerateOutput and of the models' outputs. No torch here."""

from collections.abc import Collection


def of_tokens(wanted: Collection[str]) -> tuple[str, ...]:
    """What there is of each token."""
    return tuple(name for name in ("scores", "logits") if name in wanted)


def of_passes(wanted: Collection[str], *, encoder_decoder: bool) -> tuple[str, ...]:
    """What there is of each forward pass. An encoder-decoder model names whose attentions and hidden states it means.

    Args:
        wanted: among scores, logits, attentions, hidden_states.
    """
    if not encoder_decoder:
        return tuple(name for name in ("attentions", "hidden_states") if name in wanted)
    attentions = ("decoder_attentions", "cross_attentions") if "attentions" in wanted else ()
    return (*attentions, "decoder_hidden_states") if "hidden_states" in wanted else attentions


def of_the_encoder(wanted: Collection[str]) -> tuple[str, ...]:
    """What there is of an encoder's one pass; in the record it is the encoder's by name."""
    return tuple(name for name in ("attentions", "hidden_states") if name in wanted)
