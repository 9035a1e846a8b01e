"""Which layers an answer is contrasted with. Layer j is the hidden state made by j layers; 0 is the embedding."""

from collections.abc import Sequence

from modelry.errors import GenerationError


def premature_layers(asked: str | Sequence[int], *, count: int, tied: bool) -> tuple[int, ...]:
    """Candidates for the premature layer: every second layer of one half, and of no more than 20 layers.

    Args:
        asked: "low" or "high" half, or the layers themselves.
        count: layers of the model.
        tied: the vocabulary is projected with the embedding. An early exit from there repeats the token it was made
            of, so "low" begins two layers later (earlier only in models too shallow for that).

    Raises:
        GenerationError: there is no such layer, or none is named.
    """
    if asked == "low":
        first = min(2, count - 1) if tied else 0
        return tuple(range(first, min(count // 2, 20), 2)) or (first,)
    if asked == "high":
        return tuple(range(count // 2 if count <= 40 else count - 20, count, 2))
    layers = sorted({int(layer) for layer in asked})
    outside = [layer for layer in layers if not 0 <= layer < count]
    if outside or not layers:
        found = f"{outside} cannot be contrasted with the last" if layers else "no layer is named"
        raise GenerationError(
            f"dola_layers={list(asked)}: {found}; the model has {count} layers, so name some of 0 to {count - 1}, "
            "or say 'low' or 'high'"
        )
    return tuple(layers)
