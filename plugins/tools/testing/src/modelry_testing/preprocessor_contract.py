"""The contract of a preprocessor of any role: what is saved and loaded prepares the same, one at a time or many."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest

from modelry import Preprocessor
from modelry_registry import ModelFamily
from modelry_testing.contract import Contract, check
from modelry_testing.preprocessors import preparing
from modelry_testing.preprocessors.subject import Subject
from modelry_testing.scratch import new_folder

_RUNS = ("test_registered", "test_loads", "test_prepares")


class PreprocessorContract(Contract):
    """What every preprocessor keeps.

    class TestViTImageProcessor(PreprocessorContract):
        model_type = "vit"
        role = "image-processor"

        def write_files(self, folder): ...      # preprocessor_config.json
        def items(self): ...                    # three images
    """

    kind = "models"
    model_type: ClassVar[str] = ""
    role: ClassVar[str] = ""
    """Which of the family's preprocessors: "tokenizer", "image-processor" …"""
    tolerance: ClassVar[float] = 0.0
    """Largest difference between an item alone and in a batch."""

    def __init_subclass__(cls, **named: Any) -> None:
        super().__init_subclass__(**named)
        if cls.model_type:
            cls.name = cls.model_type

    @classmethod
    def label(cls) -> str:
        """What reports call the preprocessor."""
        return f"{cls.role}:{cls.name}"

    def write_files(self, folder: Path) -> None:
        """Write the published files of a small preprocessor into `folder`.

        Raises:
            pytest.skip.Exception: the test class gives none.
        """
        pytest.skip(f"give the {self.role} its files: override `write_files` in its test class")

    def items(self) -> Sequence[Any]:
        """Three inputs or more, of different sizes."""
        pytest.skip(f"give the {self.role} something to do: override `items` in its test class")

    def prepare(self, preprocessor: Preprocessor, given: Any) -> Any:
        """Model inputs, as lists or arrays, for one item or a list of items."""
        return cast(Any, preprocessor)(given)

    def subject(self) -> Subject:
        """The preprocessor, its files and its items, shared by all checks."""

        def make() -> Subject:
            family = cast(ModelFamily, self.spec())
            if self.role not in family.preprocessors:
                pytest.skip(f"the family {self.name} declares no {self.role}")
            folder = new_folder()
            self.write_files(folder)
            subject = Subject(
                family.preprocessors[self.role], self.role, folder, tuple(self.items()), self.prepare, self.tolerance
            )
            if self.by_name:
                preparing.try_loading(subject)
            return subject

        return cast(Subject, self.remembered("subject", make))

    @check(after=("test_registered",))
    def test_needs_no_torch(self) -> None:
        """The class is imported without torch."""
        preparing.torch_free(self.subject())

    @check(after=("test_registered",))
    def test_loads(self) -> None:
        """The files give a preprocessor of the declared class, and of the role it is declared for."""
        preparing.loads(self.subject())

    @check(after=("test_registered", "test_loads"))
    def test_prepares(self) -> None:
        """Every item gives the same named, finite inputs twice."""
        preparing.prepares(self.subject())

    @check(after=_RUNS)
    def test_batch(self) -> None:
        """Items together give what each gives alone."""
        preparing.batch(self.subject())

    @check(after=_RUNS)
    def test_save_and_reload(self) -> None:
        """What is saved and loaded prepares the same, and saves the same files again."""
        preparing.save_and_reload(self.subject())

    @check(after=_RUNS)
    def test_refusals(self) -> None:
        """An empty folder and files that are no JSON are refused by one of our errors."""
        preparing.refusals(self.subject())
