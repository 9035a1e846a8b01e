"""Whether demands can be met, known before the model runs; and whether they were, in the end."""

from collections.abc import Collection

from modelry.errors import GenerationError
from modelry.generation.beams import Hypotheses
from modelry_constrained_beam_search.constraints import Phrase

Demands = tuple[tuple[Phrase, ...], ...]


def possible_demands(demands: Demands, end_tokens: Collection[int], vocabulary: int | None) -> Demands:
    """The demands, each once, without phrases that no text can contain because a token in them ends it.

    Raises:
        GenerationError: nothing is left of a demand, or an id is not in the vocabulary of that many tokens.
    """
    ids = {token for phrases in demands for phrase in phrases for token in phrase}
    outside = sorted(token for token in ids if vocabulary is not None and token >= vocabulary)
    if outside:
        raise GenerationError(
            f"force_words_ids or constraints name the tokens {outside}, and the vocabulary has {vocabulary}"
        )
    kept = tuple(tuple(one for one in phrases if not set(one) & set(end_tokens)) for phrases in demands)
    for phrases, left in zip(demands, kept, strict=True):
        if not left:
            raise GenerationError(
                f"force_words_ids or constraints demand {[list(one) for one in phrases]}, and text ends at the tokens "
                f"{sorted(set(end_tokens))} (eos_token_id): leave them out of the phrases"
            )
    return tuple(dict.fromkeys(kept))


def refuse_short(needed: int, room: int) -> None:
    """Refuse demands for which there is no room.

    Raises:
        GenerationError: says how many tokens are needed.
    """
    if needed > room:
        raise GenerationError(
            f"force_words_ids and constraints need {needed} tokens, and there is room for {room}: "
            f"set max_new_tokens to {needed} or more"
        )


def refuse_incomplete(finished: Hypotheses, count: int, *, out_of_time: bool) -> None:
    """Refuse to return texts that do not meet the demands, or are none.

    Raises:
        GenerationError: names the prompts with fewer than `count` texts.
    """
    found = finished.complete.sum(dim=1).tolist()
    short = [f"prompt {prompt}: {number}" for prompt, number in enumerate(found) if number < count]
    if short:
        why = "max_time is over" if out_of_time else "the search came to its end"
        raise GenerationError(
            f"{why}, and fewer than num_return_sequences={count} texts contain all of force_words_ids and constraints "
            f"({', '.join(short)}). Give more num_beams, tokens or time, or ask for fewer texts"
        )
