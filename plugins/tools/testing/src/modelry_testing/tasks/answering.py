"""How a pipeline answers: one item, a list, a generator, a data set, in batches, as a stream, and after being saved."""

import json
from collections.abc import Iterator
from typing import Any

from modelry.pipelines import Pipeline, TaskParameters, plain
from modelry_registry import resolve
from modelry_testing.errors import ContractBroken
from modelry_testing.scratch import new_folder
from modelry_testing.tasks.subject import Subject


def loads(subject: Subject) -> None:
    """The pipeline is of the declared class."""
    made, declared = subject.pipeline, resolve(subject.task.pipeline)
    if not isinstance(made, Pipeline) or type(made) is not declared:
        raise ContractBroken(
            f"pipeline({subject.task.name!r}) is a {type(made).__name__}, and {subject.task.pipeline} is declared"
        )
    if not issubclass(made.parameters_class, TaskParameters):
        raise ContractBroken(f"{type(made).__name__}.parameters_class is not a modelry.pipelines.TaskParameters")
    if made.model.training:
        raise ContractBroken("the pipeline's model is in training mode")


def one(subject: Subject) -> None:
    """An answer that is not None, the same twice, showable."""
    for item, answer in zip(subject.items, subject.alone, strict=True):
        if answer is None:
            raise ContractBroken(f"{subject.task.name} answers {item!r} with None")
        subject.same(subject.answer(item), answer, "the same item, asked again,")
        if not isinstance(subject.pipeline.display(answer), str):
            raise ContractBroken(f"display of {subject.task.name} gives no text")
        json.dumps(plain(answer))


def several(subject: Subject) -> None:
    """Lists and tuples."""
    for given in (list(subject.items), subject.items):
        found = subject.answer(given)
        if not isinstance(found, list):
            raise ContractBroken(f"{subject.task.name} answers a {type(given).__name__} with a {type(found).__name__}")
        subject.same(found, subject.alone, "a list")
    if subject.answer([]) != []:
        raise ContractBroken(f"{subject.task.name} does not answer an empty list with an empty list")


def stream(subject: Subject) -> None:
    """A generator is read at most one item ahead of the answers."""
    read = 0

    def items() -> Iterator[Any]:
        nonlocal read
        for item in subject.items:
            read += 1
            yield item

    answers = iter(subject.answer(items(), batch_size=1))
    found = [next(answers)]
    if read > 2:
        raise ContractBroken(f"{subject.task.name} reads {read} items of a generator before it gives the first answer")
    found += answers
    subject.same(found, subject.alone, "a generator")


class _Rows:
    """A data set."""

    def __init__(self, rows: tuple[Any, ...]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Any:
        return self.rows[index]


def data_set(subject: Subject) -> None:
    """Rows by number."""
    subject.same(list(subject.answer(_Rows(subject.items))), subject.alone, "a data set")


def batches(subject: Subject) -> None:
    """Two batch sizes: one that leaves a rest, and one that holds all."""
    for size in (2, len(subject.items)):
        subject.same(subject.answer(list(subject.items), batch_size=size), subject.alone, f"batch_size={size}")


def streamed(subject: Subject) -> None:
    """`stream` gives `display`, in parts."""
    item, answer = subject.items[0], subject.alone[0]
    parts = list(subject.pipeline.stream(item, **subject.keywords))
    shown = subject.pipeline.display(answer)
    if "".join(parts).strip() not in shown:
        raise ContractBroken(f"{subject.task.name} streams {''.join(parts)!r}, and shows {shown!r}")


def saved(subject: Subject) -> None:
    """Save, make again, ask again."""
    folder = new_folder()
    subject.pipeline.save_pretrained(folder)
    again = subject.made(folder)
    subject.same(again(subject.items[0], **subject.keywords), subject.alone[0], "the saved pipeline")
