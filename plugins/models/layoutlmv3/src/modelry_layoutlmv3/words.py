"""What a caller passes to LayoutLMv3's tokenizer, in its many shapes, as examples: words, boxes, labels, a question."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from modelry.errors import PreprocessorError
from modelry.preprocessing.tensors import as_lists

PAGE = 1000
"""Both sides of every page, in the unit of boxes."""


@dataclass(frozen=True)
class Example:
    """One page, or one question about it."""

    words: Sequence[str]
    boxes: Sequence[Sequence[int]]
    labels: Sequence[int]
    """Empty where there are none."""
    question: list[str] | None
    """Split at white space."""


def read_examples(text: Any, text_pair: Any, boxes: Any, word_labels: Any) -> tuple[list[Example], bool]:
    """Check the arguments of a call and bring them into one shape.

    Returns:
        The examples, and whether the caller gave several.

    Raises:
        PreprocessorError: words, boxes, labels or questions that do not belong together; names the first.
    """
    pages = text if text_pair is None else text_pair
    if not isinstance(pages, list | tuple):
        raise PreprocessorError(f"words are a {type(pages).__name__}: give a list of words, or a list of such lists")
    several = (
        isinstance(text, list | tuple) if text_pair is not None else bool(text) and isinstance(text[0], list | tuple)
    )
    boxes, word_labels = as_lists(boxes), as_lists(word_labels) if word_labels is not None else None
    if not several:
        question = None if text_pair is None else text
        return [_example(pages, boxes, word_labels, question, "")], False
    columns = {"boxes": boxes, "word_labels": word_labels, "text": None if text_pair is None else text}
    for name, column in columns.items():
        if column is not None and len(column) != len(pages):
            raise PreprocessorError(
                f"{name} are of {len(column)} examples, and words of {len(pages)}: give equally many"
            )
    return [
        _example(
            words,
            boxes[number],
            None if word_labels is None else word_labels[number],
            None if text_pair is None else text[number],
            f" of example {number}",
        )
        for number, words in enumerate(pages)
    ], True


def _example(words: Any, boxes: Any, labels: Any, question: Any, where: str) -> Example:
    if not isinstance(words, list | tuple):
        raise PreprocessorError(f"the words{where} are a {type(words).__name__}: give a list of words")
    for name, values in (("boxes", boxes), ("word_labels", labels)):
        if values is not None and len(values) != len(words):
            raise PreprocessorError(
                f"there are {len(words)} words and {len(values)} {name}{where}: give one for each word"
            )
    for word, box in zip(words, boxes, strict=True):
        if len(box) != 4 or not all(isinstance(edge, int) and 0 <= edge <= PAGE for edge in box):
            raise PreprocessorError(
                f"the box of the word {word!r}{where} is {box!r:.60}: four whole numbers from 0 to {PAGE} are needed, "
                "left, top, right and bottom as parts of a thousand of the page"
            )
    asked = question.split() if isinstance(question, str) else question
    return Example(words, boxes, labels or (), asked)
