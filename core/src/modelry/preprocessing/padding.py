"""How long encoded rows become: which padding and truncation a call means, and padding of finished rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from modelry.errors import PreprocessorError
from modelry.preprocessing.tensors import as_lists

NO_LIMIT = int(1e30)
"""model_max_length of a tokenizer that knows none; published files write this very number."""

LARGEST_LIMIT = int(1e18)
"""A model_max_length or max_length above this means that there is none; the tokenizers library takes 64 bits."""


class PaddingStrategy(StrEnum):
    """To what length rows are filled."""

    LONGEST = "longest"
    MAX_LENGTH = "max_length"
    DO_NOT_PAD = "do_not_pad"


class TruncationStrategy(StrEnum):
    """Which text of a pair is cut."""

    ONLY_FIRST = "only_first"
    ONLY_SECOND = "only_second"
    LONGEST_FIRST = "longest_first"
    DO_NOT_TRUNCATE = "do_not_truncate"


SIDES = ("left", "right")


@dataclass(frozen=True)
class Lengths:
    """What one call asks for; every field is checked and final."""

    padding: PaddingStrategy
    truncation: TruncationStrategy
    max_length: int | None
    stride: int
    pad_to_multiple_of: int | None
    padding_side: str
    truncation_side: str


def check_side(name: str, side: object) -> str:
    """
    Raises:
        PreprocessorError: the side is neither "left" nor "right".
    """
    if side not in SIDES:
        raise PreprocessorError(f"{name} is {side!r}; use 'left' or 'right'")
    return str(side)


def resolve_lengths(
    *,
    padding: bool | str,
    truncation: bool | str | None,
    max_length: int | None,
    stride: int = 0,
    pad_to_multiple_of: int | None = None,
    padding_side: str,
    truncation_side: str,
    model_max_length: int,
) -> Lengths:
    """Say what the arguments of a call mean together.

    A max_length alone asks for truncation. A strategy without any length (argument or model_max_length) does nothing.

    Raises:
        PreprocessorError: an unknown strategy or side, a negative length, or lengths that contradict each other.
    """
    if max_length is not None and padding is False and truncation is None:
        truncation = True
    pad = _padding_strategy(padding)
    cut = _truncation_strategy(truncation)
    for name, value, least in (("max_length", max_length, 0), ("pad_to_multiple_of", pad_to_multiple_of, 1)):
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
            raise PreprocessorError(f"{name} is {value!r}; give a whole number of tokens, at least {least}")
    if not isinstance(stride, int) or stride < 0:
        raise PreprocessorError(f"stride is {stride!r}; give the number of tokens that neighbouring pieces share")
    if pad is PaddingStrategy.MAX_LENGTH or cut is not TruncationStrategy.DO_NOT_TRUNCATE:
        max_length = model_max_length if max_length is None else max_length
        if max_length > LARGEST_LIMIT:
            pad = PaddingStrategy.DO_NOT_PAD if pad is PaddingStrategy.MAX_LENGTH else pad
            cut = TruncationStrategy.DO_NOT_TRUNCATE
            max_length = None
    if (
        cut is not TruncationStrategy.DO_NOT_TRUNCATE
        and pad is not PaddingStrategy.DO_NOT_PAD
        and pad_to_multiple_of is not None
        and max_length is not None
        and max_length % pad_to_multiple_of
    ):
        raise PreprocessorError(
            f"rows are cut at max_length {max_length} and padded to a multiple of {pad_to_multiple_of}, "
            f"which contradict each other; use max_length {max_length - max_length % pad_to_multiple_of}"
        )
    return Lengths(
        padding=pad,
        truncation=cut,
        max_length=max_length,
        stride=stride,
        pad_to_multiple_of=pad_to_multiple_of,
        padding_side=check_side("padding_side", padding_side),
        truncation_side=check_side("truncation_side", truncation_side),
    )


def _padding_strategy(padding: bool | str) -> PaddingStrategy:
    if padding is True:
        return PaddingStrategy.LONGEST
    if padding is False or padding is None:
        return PaddingStrategy.DO_NOT_PAD
    try:
        return PaddingStrategy(padding)
    except ValueError:
        names = ", ".join(map(repr, map(str, PaddingStrategy)))
        raise PreprocessorError(f"padding is {padding!r}; use True, False or one of {names}") from None


def _truncation_strategy(truncation: bool | str | None) -> TruncationStrategy:
    if truncation is True:
        return TruncationStrategy.LONGEST_FIRST
    if truncation is False or truncation is None:
        return TruncationStrategy.DO_NOT_TRUNCATE
    try:
        return TruncationStrategy(truncation)
    except ValueError:
        names = ", ".join(map(repr, map(str, TruncationStrategy)))
        raise PreprocessorError(f"truncation is {truncation!r}; use True, False or one of {names}") from None


def pad_rows(
    features: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    lengths: Lengths,
    *,
    main: str,
    fill: Mapping[str, Any],
    attention_mask: bool,
) -> dict[str, Any]:
    """Pad what has been encoded before, for instance in the collate function of a data loader.

    Args:
        features: one row (name -> list), a batch (name -> list of lists) or a list of rows.
        main: the input whose length counts.
        fill: the value that fills each input; an input without one is not padded.
        attention_mask: make one (1 real, 0 padding) where there is none.

    Returns:
        Name -> list, or list of lists for a batch.

    Raises:
        PreprocessorError: `main` is missing, or the inputs hold different numbers of rows.
    """
    if not isinstance(features, Mapping):
        names = features[0].keys() if features else ()
        features = {name: [row[name] for row in features] for name in names}
    if main not in features:
        raise PreprocessorError(f"pad needs {main!r}; it was given {', '.join(features) or 'nothing'}")
    columns = {name: as_lists(value) for name, value in features.items()}
    batched = bool(columns[main]) and isinstance(columns[main][0], list | tuple)
    if not batched:
        columns = {name: [value] for name, value in columns.items()}
    counts = {name: len(value) for name, value in columns.items()}
    if len(set(counts.values())) > 1:
        raise PreprocessorError(f"the inputs hold different numbers of rows: {counts}")
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    target = _target_length([len(row[main]) for row in rows], lengths)
    for row in rows:
        _pad_row(row, target, lengths.padding_side, main=main, fill=fill, attention_mask=attention_mask)
    padded = {name: [row[name] for row in rows] for name in rows[0]} if rows else columns
    return padded if batched else {name: value[0] for name, value in padded.items()}


def _target_length(found: list[int], lengths: Lengths) -> int:
    """The length of padded rows; 0 when none are padded."""
    if lengths.padding is PaddingStrategy.DO_NOT_PAD:
        return 0
    target = max(found, default=0) if lengths.padding is PaddingStrategy.LONGEST else lengths.max_length or 0
    step = lengths.pad_to_multiple_of or 1
    return -(-target // step) * step


def _pad_row(
    row: dict[str, Any], target: int, side: str, *, main: str, fill: Mapping[str, Any], attention_mask: bool
) -> None:
    length = len(row[main])
    if attention_mask and "attention_mask" not in row:
        row["attention_mask"] = [1] * length
    missing = target - length
    if missing <= 0:
        return
    for name, value in row.items():
        if name in fill:
            filling = [fill[name]] * missing
            row[name] = [*value, *filling] if side == "right" else [*filling, *value]
