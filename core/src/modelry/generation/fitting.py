"""What cannot fit into memory, whatever else is true of a model, is refused before the model runs.

R rows   P positions of the longest text   V vocabulary
Counted is only what every strategy holds of each row: its text, and the scores of its next token. The model's own
memory comes on top, so what passes may still be too much; that ends as OutOfMemory.
"""

import torch

from modelry.device_memory import memory_of
from modelry.errors import GenerationError

TOKEN_BYTES, SCORE_BYTES = 8, 4


def refuse_what_cannot_fit(
    device: torch.device, *, prompts: int, copies: int, length: int, vocabulary: int | None
) -> None:
    """Compare the least that all rows take with all the memory that a device has.

    Args:
        prompts: B.
        copies: rows for each prompt: beams, sequences.
        length: P.
        vocabulary: V, where it is known.

    Raises:
        GenerationError: it is more.
    """
    rows, has = prompts * copies, memory_of(device)
    needs = rows * (TOKEN_BYTES * length + SCORE_BYTES * (vocabulary or 0))
    if has is None or needs <= has:
        return
    scores = "" if vocabulary is None else f" and the scores of {vocabulary:,} tokens"
    raise GenerationError(
        f"{rows:,} rows ({prompts:,} prompts, {copies:,} beams or sequences of each), each with a text of up to "
        f"{length:,} tokens{scores}, take at least {needs / 2**30:,.1f} GiB, and {device} has {has / 2**30:,.1f}: "
        "lower num_beams, num_return_sequences or max_new_tokens, or give fewer prompts at once"
    )
