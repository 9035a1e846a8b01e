"""Tokenizers with one mistake each."""

from pathlib import Path
from typing import Any

from modelry import Tokenizer
from modelry.errors import ModelryError


class ShiftedOffsets(Tokenizer):
    """Offsets are one character late."""

    def __call__(self, *given: Any, **named: Any) -> Any:
        found = super().__call__(*given, **named)
        if "offset_mapping" in found:
            found["offset_mapping"] = [(start + 1, end + 1) for start, end in found["offset_mapping"]]
        return found


class LoweredText(Tokenizer):
    """Capitals do not come back."""

    def decode(self, *given: Any, **named: Any) -> Any:
        found = super().decode(*given, **named)
        return found.lower() if isinstance(found, str) else found


class OneSided(Tokenizer):
    """Always pads on the right."""

    def __call__(self, *given: Any, **named: Any) -> Any:
        return super().__call__(*given, **{**named, "padding_side": "right"})


class Longwinded(Tokenizer):
    """Keeps one token more than allowed."""

    def __call__(self, *given: Any, **named: Any) -> Any:
        if named.get("truncation"):
            named["max_length"] += 1
        return super().__call__(*given, **named)


class Forgetful(Tokenizer):
    """Saves no pad token."""

    def save_pretrained(self, save_directory: Any) -> tuple[str, ...]:
        written = super().save_pretrained(save_directory)
        path = Path(save_directory) / "tokenizer.json"
        path.write_text(path.read_text().replace('"i",\n        "n"', '"i",\n        "o"'))
        return written


class Moody(Tokenizer):
    """Does something else in a batch."""

    def __call__(self, text: Any = None, *given: Any, **named: Any) -> Any:
        return super().__call__([one.upper() for one in text] if isinstance(text, list) else text, *given, **named)


class Careless(Tokenizer):
    """Lets other libraries' errors through."""

    @classmethod
    def from_pretrained(cls, ref: Any, **options: Any) -> Any:
        try:
            return super().from_pretrained(ref, **options)
        except ModelryError as error:
            raise KeyError("files") from error
