"""Reading prompts of different lengths without their padding: several one behind the other in one row of the model.

B prompts   P positions of the longest   K key/value heads   E head width   N positions of a pack   V vocabulary
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from modelry.cache import Cache
from modelry.foreign_hooks import names_rows
from modelry.generation.prompt import Prompt
from modelry.model import PreTrainedModel

PACK = 512
"""Positions of a pack: enough for products at full speed, few enough for the processor's cache between them."""
PACK_ELSEWHERE = 8192
"""The same on an accelerator."""


def can_pack(model: Any, prompt: Prompt) -> bool:
    """Whether these prompts can be read so: several, nothing but ids, and a model that keeps texts apart."""
    if prompt.rows == 1 or prompt.embeds is not None or prompt.extras or not isinstance(model, PreTrainedModel):
        return False
    return isinstance(model.base_model, PreTrainedModel) and model.base_model.reads_packed and not names_rows(model)


def lengths_of(prompt: Prompt) -> list[int] | None:
    """Positions of each prompt; None where padding is not all on the left."""
    if prompt.mask is None:
        return [prompt.width] * prompt.rows
    ends = (prompt.mask.diff(dim=1) >= 0).all()
    found: list[int] = prompt.mask.sum(dim=1).tolist()
    return found if bool(ends) else None


def packs(lengths: Sequence[int], *, size: int) -> list[list[int]]:
    """Rows by rising length, divided so that a pack has at most `size` positions or one row."""
    found: list[list[int]] = []
    room = 0
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        if lengths[row] > room:
            found.append([])
            room = size
        found[-1].append(row)
        room -= lengths[row]
    return found


def read_packed(
    model: Any, prompt: Prompt, lengths: Sequence[int], cache: Cache, *, chunk: int | None
) -> tuple[Any, list[int]]:
    """Read the prompts into an empty cache, whose rows are then those of the prompts by rising length.

    Args:
        lengths: of each prompt.
        chunk: positions of one prompt fed at once; None: all.

    Returns:
        The model's output with logits (B, 1, V) of the next tokens, and which prompt each row is.
    """
    size = PACK if prompt.ids.device.type == "cpu" else PACK_ELSEWHERE
    divided = packs(lengths, size=size)
    remembered, logits = [], []
    for rows in divided:
        held = model.make_cache(kind="full")
        output = _read(model, [prompt.ids[row, prompt.width - lengths[row] :] for row in rows], held, chunk=chunk)
        logits.append(output.logits.view(len(rows), 1, -1))
        remembered.append((held, [lengths[row] for row in rows]))
    for number, layer in enumerate(cache.layers):
        parts = [(held.layers[number], counts) for held, counts in remembered]
        keys = _side_by_side([(held.keys, counts) for held, counts in parts], prompt.width)
        values = _side_by_side([(held.values, counts) for held, counts in parts], prompt.width)
        for held, _ in parts:
            held.keys = held.values = None  # memory for one layer twice, not for all
        layer.extend(keys, values)
    cache.advance(prompt.width)
    output.logits = torch.cat(logits)
    return output, [row for rows in divided for row in rows]


def _read(model: Any, texts: list[Tensor], cache: Cache, *, chunk: int | None) -> Any:
    """One forward pass over texts that lie in one row, or several over chunks of the only one."""
    counts = [text.shape[0] for text in texts]
    device = texts[0].device
    positions = torch.cat([torch.arange(count, device=device) for count in counts])[None]  # (1, N)
    ids, total = torch.cat(texts)[None], sum(counts)
    if len(texts) > 1:
        numbers = torch.arange(1, len(texts) + 1).repeat_interleave(torch.tensor(counts))[None].to(device)
        last = torch.tensor(counts).cumsum(0).sub_(1).to(device)
        return model(
            input_ids=ids,
            attention_mask=numbers,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=last,
        )
    step = total if chunk is None else chunk
    for begin in range(0, total, step):
        output = model(
            input_ids=ids[:, begin : begin + step],
            position_ids=positions[:, begin : begin + step],
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
    return output


def _side_by_side(parts: list[tuple[Tensor, list[int]]], width: int) -> Tensor:
    """Texts that lie one behind the other in each (1, K, N, E) as rows of (B, K, width, E), on the right."""
    heads, size = parts[0][0].shape[1], parts[0][0].shape[3]
    whole = parts[0][0].new_zeros(sum(len(counts) for _, counts in parts), heads, width, size)
    row = 0
    for held, counts in parts:
        at = 0
        for count in counts:
            whole[row, :, width - count :] = held[0, :, at : at + count]
            row, at = row + 1, at + count
    return whole
