"""Sounds that an extractor prepared one by one, laid together as a batch: what a collator does.

T samples   M, L bands and frames of a spectrogram
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modelry.errors import PreprocessorError
from modelry.preprocessing.audio.padding import Padding, pad_sounds
from modelry.preprocessing.features import BatchFeature

WAVES, SPECTRA, MASK = "input_values", "input_features", "attention_mask"


def pad_prepared(
    features: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    own: Mapping[str, Any],
    *,
    padding: Padding,
    max_length: int | None,
    truncation: bool,
    pad_to_multiple_of: int | None,
    return_attention_mask: bool | None,
) -> BatchFeature:
    """Waveforms filled to one length; spectrograms, which have one shape, as they are.

    Args:
        features: rows with input_values (T,) or input_features (M, L); or those of all rows by name.
        own: the extractor's parameters: what to fill with, at which side, and whether there is a mask.

    Returns:
        Lists of arrays, a row each. Other columns as they were given.

    Raises:
        PreprocessorError: rows have neither, or spectrograms of different shapes; or the arguments do not fit together.
    """
    rows = _rows(features)
    name = next((one for one in (WAVES, SPECTRA) if rows and all(one in row for row in rows)), None)
    if name is None:
        said = f"the first of {len(rows)} has {', '.join(map(str, rows[0]))}" if rows else "there are none"
        raise PreprocessorError(f"rows to pad need {WAVES!r} or {SPECTRA!r}; {said}")
    values = [np.asarray(row[name], dtype=np.float32) for row in rows]
    masks = [np.asarray(row[MASK], dtype=np.int32) for row in rows] if all(MASK in row for row in rows) else None
    data: dict[str, Any] = {other: [row[other] for row in rows] for other in rows[0] if other not in (name, MASK)}
    masked = own.get("return_attention_mask") if return_attention_mask is None else return_attention_mask
    if name == SPECTRA:
        shapes = sorted({array.shape for array in values})
        if len(shapes) > 1:
            raise PreprocessorError(
                f"{SPECTRA} have shapes {', '.join(map(str, shapes))}: extract them with padding='max_length'"
            )
        return BatchFeature({name: values, **({MASK: masks} if masked and masks else {}), **data})
    if any(array.ndim != 1 for array in values):
        raise PreprocessorError(f"{WAVES} have shape {values[0].shape}: a row to pad is one sound, (samples,)")
    padded = pad_sounds(
        values,
        padding=padding,
        max_length=max_length,
        truncation=truncation,
        pad_to_multiple_of=pad_to_multiple_of,
        value=own.get("padding_value", 0.0),
        side=own.get("padding_side", "right"),
    )
    data = {name: [row.samples for row in padded], **data}
    if masked:
        data[MASK] = [row.mask for row in padded]
        for number, given in enumerate(masks or ()):  # a row may have been filled before
            real = padded[number].real
            data[MASK][number][real] = given[: real.stop - real.start]
    return BatchFeature(data)


def _rows(features: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    if not isinstance(features, Mapping):
        return list(features)
    count = min((len(column) for column in features.values()), default=0)
    return [{name: column[number] for name, column in features.items()} for number in range(count)]
