"""A preprocessor under test: its class, the folder of its files, and what it is given."""

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from modelry import Preprocessor
from modelry_registry import resolve
from modelry_testing.errors import ContractBroken


class Subject:
    """One preprocessor of one family."""

    def __init__(
        self,
        reference: str,
        role: str,
        folder: Path,
        items: tuple[Any, ...],
        prepare: Callable[[Preprocessor, Any], Any],
        tolerance: float,
    ) -> None:
        self.reference = reference
        self.role = role
        self.folder = folder
        self.items = items
        self.prepare = prepare
        self.tolerance = tolerance

    @property
    def preprocessor_class(self) -> type[Preprocessor]:
        """What the family declares."""
        found = resolve(self.reference)
        if not (isinstance(found, type) and issubclass(found, Preprocessor)):
            raise ContractBroken(f"{self.reference} is not a modelry.Preprocessor")
        return found

    def load(self, folder: Path | None = None) -> Any:
        """Load from the files, or from another folder."""
        return self.preprocessor_class.from_pretrained(folder or self.folder)

    @cached_property
    def loaded(self) -> Any:
        """The preprocessor that checks share and do not change."""
        return self.load()

    @cached_property
    def alone(self) -> list[dict[str, Any]]:
        """Inputs of each item, as plain lists."""
        return [listed(self.prepare(self.loaded, item)) for item in self.items]


def listed(inputs: Any) -> dict[str, Any]:
    """Model inputs with arrays and tensors as lists."""
    if not isinstance(inputs, Mapping):
        raise ContractBroken(f"a preprocessor returns a mapping of names to inputs, and not a {type(inputs).__name__}")
    return {str(name): _plain(value) for name, value in inputs.items()}


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
