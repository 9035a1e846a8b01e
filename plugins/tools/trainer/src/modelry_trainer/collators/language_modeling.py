"""The collator of plain texts: the next token, or masked ones, are to be guessed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Generator, Tensor
from torch.utils.data import get_worker_info

from modelry.errors import ParameterError
from modelry.preprocessing import Tokenizer
from modelry_trainer.collators.labels import IGNORED, plain, without
from modelry_trainer.collators.masking import Masking, words_of
from modelry_trainer.collators.padding import DataCollatorWithPadding


@dataclass
class DataCollatorForLanguageModeling:
    """Pads texts, and makes labels of them.

    Args:
        tokenizer, pad_to_multiple_of: see `DataCollatorWithPadding`.
        mlm: masked language modelling; False: labels are the ids, -100 where padding stands.
        whole_word_mask: mask all tokens of a word, and always by the mask; rows need "offset_mapping".
        mlm_probability: chance of a token, or a word, to be guessed.
        mask_replace_prob, random_replace_prob: see `Masking`.
        seed: of the masks; torch's own generator when None. Workers of a loader draw from seeds of their own.

    Raises:
        ParameterError: a chance is impossible, or the tokenizer has no mask.
    """

    tokenizer: Tokenizer
    mlm: bool = True
    whole_word_mask: bool = False
    mlm_probability: float = 0.15
    mask_replace_prob: float = 0.8
    random_replace_prob: float = 0.1
    pad_to_multiple_of: int | None = None
    seed: int | None = None
    generator: Generator | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("mlm_probability", "mask_replace_prob", "random_replace_prob"):
            if not 0 <= getattr(self, name) <= 1:
                raise ParameterError(f"{name} is {getattr(self, name)}; a chance is from 0 to 1")
        if self.mask_replace_prob + self.random_replace_prob > 1:
            raise ParameterError(
                f"mask_replace_prob {self.mask_replace_prob} and random_replace_prob {self.random_replace_prob} are "
                "more than 1 together"
            )
        if self.whole_word_mask and not self.mlm:
            raise ParameterError("whole_word_mask says what is masked, and with mlm=False nothing is")
        if self.mlm and self.tokenizer.mask_token_id is None:
            raise ParameterError(
                f"{self.tokenizer.name_or_path or 'this tokenizer'} has no mask_token, which masked language modelling "
                "needs; for causal language modelling give mlm=False"
            )

    def __call__(self, features: Sequence[Any]) -> dict[str, Any]:
        """Rows with "input_ids", or lists of ids, to tensors (rows, tokens) with "labels"."""
        rows = [dict(row) if isinstance(row, Mapping) else {"input_ids": plain(row)} for row in features]
        texts = DataCollatorWithPadding(self.tokenizer, pad_to_multiple_of=self.pad_to_multiple_of)
        batch = texts.pad(without(rows, "offset_mapping"))
        special = batch.pop("special_tokens_mask", None)
        ids = batch["input_ids"]
        if self.mlm:
            special = self._special(ids) if special is None else special.bool()
            batch["input_ids"], batch["labels"] = self._mask(ids, special, rows)
        else:
            padding = self.tokenizer.pad_token_id
            batch["labels"] = ids.clone() if padding is None else torch.where(ids == padding, IGNORED, ids)
        return batch

    @property
    def columns(self) -> frozenset[str]:
        """Columns that it reads, and no model."""
        return frozenset({"special_tokens_mask", "offset_mapping"})

    def _mask(self, ids: Tensor, special: Tensor, rows: Sequence[Mapping[str, Any]]) -> tuple[Tensor, Tensor]:
        if self.seed is not None and self.generator is None:
            worker = get_worker_info()
            self.generator = Generator().manual_seed(self.seed + (0 if worker is None else worker.id))
        mask = self.tokenizer.mask_token_id
        assert mask is not None
        whole = self.whole_word_mask
        masking = Masking(
            self.mlm_probability,
            1.0 if whole else self.mask_replace_prob,
            0.0 if whole else self.random_replace_prob,
            mask,
            len(self.tokenizer),
        )
        if not whole:
            return masking.apply(ids, spared=special, generator=self.generator)
        words, first = words_of(self._offsets(rows, ids.shape[1]), special)
        return masking.apply(ids, spared=~first, words=words, generator=self.generator)

    def _special(self, ids: Tensor) -> Tensor:
        marks = [self.tokenizer.get_special_tokens_mask(row, already_has_special_tokens=True) for row in ids.tolist()]
        return torch.tensor(marks, dtype=torch.bool)

    def _offsets(self, rows: Sequence[Mapping[str, Any]], width: int) -> Tensor:
        """(B, T, 2) of the padded rows."""
        found = []
        for number, row in enumerate(rows):
            if "offset_mapping" not in row:
                raise ParameterError(
                    f"row {number} of the batch has no offset_mapping, by which whole words are found; tokenize with "
                    "return_offsets_mapping=True, and keep the column"
                )
            offsets = [tuple(plain(pair)) for pair in plain(row["offset_mapping"])]
            empty = [(0, 0)] * (width - len(offsets))
            found.append(offsets + empty if self.tokenizer.padding_side == "right" else empty + offsets)
        return torch.tensor(found)
