"""The contract of a task: its pipeline answers one item, many, and a stream alike, and says what it cannot answer."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest

from modelry_registry import Registry, Task
from modelry_testing.contract import PluginContract, check
from modelry_testing.scratch import new_folder
from modelry_testing.tasks import answering, refusing
from modelry_testing.tasks.subject import Subject
from modelry_testing.toys.family import TOY, save_toy, with_toy

_RUNS = ("test_registered", "test_loads", "test_one_item")
TEXTS = ("the inn by the sea", "Über uns", "then the rain came in, and the tin roof rang")


class TaskContract(PluginContract):
    """What every task keeps.

    class TestTextGeneration(TaskContract):
        name = "text-generation"
        parameters = {"max_new_tokens": 5, "do_sample": False}
    """

    kind = "tasks"
    items: ClassVar[Sequence[Any]] = ()
    """At least three inputs of different sizes; else those of the task's `example`; else, for text, texts are given."""
    bad_item: ClassVar[Any] = object()
    """Something that the task cannot answer."""
    parameters: ClassVar[Mapping[str, Any]] = {}
    """Keywords of every call; else those of the task's `example`."""
    impossible: ClassVar[tuple[Mapping[str, Any], ...]] = ()
    """Keywords that must be refused, besides an unknown one."""
    tolerance: ClassVar[float] = 1e-4
    """Largest difference of the numbers in two answers, relative to the larger where that is above one."""

    @classmethod
    def found_in(cls) -> Registry:
        """The registry that knows the plugin, and the toy."""
        outer = super().found_in()
        return cast(Registry, cls.remembered("registry", lambda: with_toy(outer)))

    def model_folder(self, folder: Path) -> Path:
        """Write a tiny checkpoint that the task can run into `folder`. The toy serves tasks that read text.

        Raises:
            pytest.skip.Exception: the task needs a head that the toy does not have, and the test class gives no model.
        """
        task = cast(Task, self.spec())
        able = [head for head in task.heads if head in TOY.heads]
        if not able or not set(task.preprocessors) <= {"tokenizer"}:
            needs = ", ".join((*task.heads, *task.preprocessors))
            pytest.skip(
                f"the toy has none of what {task.name} needs ({needs}): override `model_folder` in its test class"
            )
        return save_toy(folder, able[0], **_example(task, "config"))

    def subject(self) -> Subject:
        """The task, a model for it and items, shared by all checks."""

        def make() -> Subject:
            task = cast(Task, self.spec())
            items = self.items or cast(Sequence[Any], task.example.get("items", TEXTS if "text" in task.inputs else ()))
            if len(items) < 3:
                pytest.skip(f"{task.name} reads {' and '.join(task.inputs)}: give three `items` in its test class")
            folder = self.model_folder(new_folder())
            keywords = self.parameters or _example(task, "parameters")
            return Subject(task, folder, tuple(items), dict(keywords), self.tolerance)

        return cast(Subject, self.remembered("subject", make))

    @check(after=("test_registered",))
    def test_loads(self) -> None:
        """`pipeline(task, model=folder)` gives the task's pipeline, with typed parameters."""
        answering.loads(self.subject())

    @check(after=("test_registered", "test_loads"))
    def test_one_item(self) -> None:
        """One item is answered, twice the same, and the answer can be shown and written as JSON."""
        answering.one(self.subject())

    @check(after=_RUNS)
    def test_list(self) -> None:
        """A list is answered by a list, item by item; an empty one by an empty one."""
        answering.several(self.subject())

    @check(after=_RUNS)
    def test_generator(self) -> None:
        """A generator is read as answers are taken, and answered in order."""
        answering.stream(self.subject())

    @check(after=_RUNS)
    def test_data_set(self) -> None:
        """Anything with a length and rows is answered in order."""
        answering.data_set(self.subject())

    @check(after=_RUNS)
    def test_batching(self) -> None:
        """Batches of any size give what items alone give."""
        answering.batches(self.subject())

    @check(after=_RUNS)
    def test_streamed_text(self) -> None:
        """The parts of a streamed answer make the displayed answer."""
        answering.streamed(self.subject())

    @check(after=_RUNS)
    def test_saved(self) -> None:
        """A pipeline that is saved and made again answers the same."""
        answering.saved(self.subject())

    @check(after=_RUNS)
    def test_parameters(self) -> None:
        """Unknown and impossible keywords are refused by name."""
        refusing.parameters(self.subject(), self.impossible)

    @check(after=(*_RUNS, "test_batching"))
    def test_bad_item(self) -> None:
        """An item that cannot be answered is named, and does not harm the others."""
        refusing.bad_item(self.subject(), self.bad_item)


def _example(task: Task, part: str) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], task.example.get(part, {}))
