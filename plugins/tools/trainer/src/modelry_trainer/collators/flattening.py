"""The collator that lays texts one behind the other in one row, without any padding.

N tokens of the batch   R texts
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch

from modelry_trainer.collators.labels import IGNORED, Row, plain


@dataclass
class DataCollatorWithFlattening:
    """One row of all texts. Positions begin anew with each text, and no text sees another: the attention mask has a
    number for each (see `modelry.nn.masks.causal_mask`). For models whose base says `reads_packed`.

    Args:
        separator_id: label of the first token of each text, which no token of the text before may guess.
        position_ids_start: position of the first token of each text.
        return_position_ids: leave the positions out where False.
        return_flash_attn_kwargs: give where texts begin, "cu_seq_lens_q" and "cu_seq_lens_k" (R + 1,), and the length
            of the longest, "max_length_q" and "max_length_k".
        return_seq_idx: give "seq_idx" too, the number of each token's text from 0 on.
    """

    return_position_ids: bool = True
    separator_id: int = IGNORED
    return_flash_attn_kwargs: bool = False
    return_seq_idx: bool = False
    position_ids_start: int = 0

    def __call__(self, features: Sequence[Any]) -> dict[str, Any]:
        """Rows with "input_ids", and "labels" where they differ, or lists of such rows (`PackedRows`), to (1, N)."""
        ids: list[int] = []
        labels: list[int] = []
        positions: list[int] = []
        lengths: list[int] = []
        numbers: list[int] = []
        for number, row in enumerate(_rows(features)):
            text = plain(row["input_ids"])
            answers = plain(row["labels"]) if "labels" in row else text
            ids += text
            labels += [self.separator_id, *answers[1:]] if text else []
            positions += range(self.position_ids_start, self.position_ids_start + len(text))
            numbers += [number] * len(text)
            lengths.append(len(text))
        batch: dict[str, Any] = {"input_ids": torch.tensor([ids]), "labels": torch.tensor([labels])}
        if self.return_position_ids:
            batch["position_ids"] = torch.tensor([positions])
        if self.return_flash_attn_kwargs:
            ends = torch.tensor([0, *accumulate(lengths)], dtype=torch.int32)
            longest = max(lengths, default=0)
            batch |= {"cu_seq_lens_q": ends, "cu_seq_lens_k": ends, "max_length_q": longest, "max_length_k": longest}
        whose = torch.tensor([numbers], dtype=torch.int32)
        if self.return_seq_idx:
            batch["seq_idx"] = whose
        return {**batch, "attention_mask": whose.long() + 1}


def _rows(features: Sequence[Any]) -> Iterator[Row]:
    for one in features:
        if isinstance(one, Mapping):
            yield one
        else:
            yield from one
