"""What tasks that read text share: reading an item, and its tokens as features of a forward pass.

T tokens
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from modelry.errors import PreprocessorError
from modelry.pipelines.parameters import TaskParameters

if TYPE_CHECKING:
    from modelry.preprocessing import Tokenizer
    from modelry.preprocessing.encoding import BatchEncoding


Truncation = Literal["longest_first", "only_first", "only_second", "do_not_truncate"]
Padding = Literal["longest", "max_length", "do_not_pad"]


class TextParameters(TaskParameters):
    """Keywords of a task that reads text."""

    truncation: bool | Truncation = Field(False, description="cut what is longer than max_length; of pairs, what of")
    max_length: int | None = Field(None, gt=0, description="tokens; unset: what the tokenizer says of the model")
    padding: bool | Padding = Field(
        False, description="max_length: each text; texts of a batch are padded to its longest whatever it says"
    )


def read_text(item: Any, *, key: str = "text") -> str:
    """An item that is a text, or a row of a data set that holds one under `key`.

    Raises:
        PreprocessorError: it is neither; the message says what was found.
    """
    found = item.get(key) if isinstance(item, Mapping) else item
    if not isinstance(found, str):
        told = f"a row with the keys {sorted(map(str, item))}" if isinstance(item, Mapping) else type(found).__name__
        raise PreprocessorError(f"a text is needed, or a row with one as {key!r}; found {told}")
    return found


def read_pair(item: Any) -> tuple[str, str | None]:
    """An item that is a text, or a row with a `text` and perhaps a `text_pair`.

    Raises:
        PreprocessorError: it is neither.
    """
    pair = item.get("text_pair") if isinstance(item, Mapping) else None
    if pair is not None and not isinstance(pair, str):
        raise PreprocessorError(f"text_pair is a {type(pair).__name__}: a text is needed")
    return read_text(item), pair


def encode_text(
    tokenizer: "Tokenizer", text: str, pair: str | None, parameters: TextParameters, **options: Any
) -> dict[str, Tensor]:
    """The tokens of a text, or of a pair, as the model reads them: each feature (T,).

    Args:
        options: further arguments of the tokenizer; they win over `parameters`.
    """
    settings: dict[str, Any] = {"truncation": parameters.truncation, "max_length": parameters.max_length}
    if parameters.padding == "max_length":
        settings["padding"] = parameters.padding
    encoding = tokenizer(text, pair, **{**settings, **options})
    return row_features(encoding, tokenizer.model_input_names)


def row_features(encoding: "BatchEncoding", names: Sequence[str], row: int | None = None) -> dict[str, Tensor]:
    """One row of what a tokenizer returned, each feature (T,).

    Args:
        names: what the model reads.
        row: its number; None where the encoding is of one text.
    """
    return {
        name: torch.tensor(encoding[name] if row is None else encoding[name][row], dtype=torch.long)
        for name in names
        if name in encoding
    }


def beginning_of(text: str, tokenizer: "Tokenizer", *, tokens: int) -> str:
    """The beginning of a text that has so many tokens at most."""
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    return text if len(offsets) <= tokens else text[: offsets[tokens - 1][1]]
