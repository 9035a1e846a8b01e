"""What a pipeline refuses, and how it says so."""

from collections.abc import Iterable, Mapping
from typing import Any

from modelry.errors import ParameterError, PipelineError
from modelry_testing.errors import ContractBroken
from modelry_testing.tasks.subject import Subject

UNKNOWN = "a_keyword_that_nobody_knows"


def parameters(subject: Subject, impossible: Iterable[Mapping[str, Any]]) -> None:
    """ParameterError, naming the keyword, before anything is computed."""
    for keywords in ({UNKNOWN: 1}, *impossible):
        for call in (subject.answer, lambda _, **words: subject.made(**words)):
            try:
                call(subject.items[0], **keywords)
            except ParameterError as error:
                if not any(key in str(error) for key in keywords):
                    raise ContractBroken(f"{dict(keywords)!r} is refused without naming it: {error}") from error
            else:
                raise ContractBroken(f"{subject.task.name} accepts {dict(keywords)!r}: refuse what it does not know")


def bad_item(subject: Subject, bad: Any) -> None:
    """PipelineError with the item's number; with on_error="return" it stands where the answer would."""
    items = [subject.items[0], bad, subject.items[1]]
    for size in (1, 3):
        try:
            subject.answer(items, batch_size=size)
        except PipelineError as error:
            if "item 1" not in str(error):
                raise ContractBroken(f"the error about item 1 of a list does not name it: {error}") from error
        else:
            raise ContractBroken(
                f"{subject.task.name} answers {bad!r}: give a `bad_item` in its test class if it should"
            )
        found = subject.answer(items, batch_size=size, on_error="return")
        if not isinstance(found[1], PipelineError):
            raise ContractBroken(
                f"with on_error='return', the answer to a bad item is {found[1]!r}, and no PipelineError"
            )
        subject.same([found[0], found[2]], [subject.alone[0], subject.alone[1]], "a list with a bad item")
