"""The metadata of one file as typed answers: a value of another type than asked for is an error that names its key."""

from collections.abc import Mapping

import numpy as np

from modelry.errors import CheckpointError
from modelry_gguf.metadata import Texts, Value


class Facts:
    """Typed access to the metadata of one file; a value of another type is an error that names the key."""

    def __init__(self, values: Mapping[str, Value], where: str) -> None:
        self.values = values
        self.where = where

    def _wrong(self, key: str, wanted: str) -> CheckpointError:
        value = self.values[key]
        shown = type(value).__name__ if isinstance(value, (list, Texts, np.ndarray)) else repr(value)[:100]
        return CheckpointError(f"{self.where}: {key} must be {wanted}; found {shown}. The file is corrupted.")

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def missing(self, key: str, needed_for: str) -> CheckpointError:
        """The error for an absent key."""
        return CheckpointError(
            f"{self.where}: the metadata has no {key}, which {needed_for} needs. Convert the model again."
        )

    def integer(self, key: str) -> int | None:
        """The whole number at `key`; None where there is none."""
        value = self.values.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._wrong(key, "a whole number")
        return value

    def number(self, key: str) -> float | None:
        """The finite number at `key`; None where there is none."""
        value = self.values.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
            raise self._wrong(key, "a finite number")
        return float(value)

    def truth(self, key: str, default: bool) -> bool:
        """The truth value at `key`, or `default`."""
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return value

    def text(self, key: str) -> str | None:
        """The string at `key`; None where there is none."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self._wrong(key, "a string")
        return value

    def texts(self, key: str) -> list[str] | None:
        """The list of strings at `key`; None where there is none."""
        value = self.values.get(key)
        if value is None:
            return None
        if isinstance(value, Texts):
            return value.read()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._wrong(key, "a list of strings")
        return value  # type: ignore[return-value]  # checked above

    def numbers(self, key: str, *, length: int) -> list[float] | None:
        """The `length` numbers at `key`; None where there is none."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, np.ndarray):
            raise self._wrong(key, "a list of numbers")
        if len(value) != length:
            raise CheckpointError(
                f"{self.where}: {key} has {len(value):,} numbers, expected {length:,}. The file is corrupted."
            )
        return value.tolist()  # type: ignore[no-any-return]  # numpy's
