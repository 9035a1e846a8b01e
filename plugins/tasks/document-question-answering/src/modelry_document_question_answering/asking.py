"""What a call asks: a question and the document it is about, in the shapes that the ecosystem has."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelry.errors import PreprocessorError
from modelry.fetching import is_url

WordBox = tuple[str, Sequence[int]]


@dataclass(frozen=True)
class Asked:
    """One item."""

    question: str
    image: Any
    """None where only words are given."""
    word_boxes: Sequence[WordBox] | None
    """Words and their boxes, 0 to 1000 over the page; None where they are to be read."""


def read_asked(item: Any) -> Asked:
    """A row of `image`, `question` and perhaps `word_boxes`.

    Raises:
        PreprocessorError: one is missing, or no question.
    """
    if not isinstance(item, Mapping):
        raise PreprocessorError(f"a row with an image and a question is needed; found {type(item).__name__}")
    question, image, given = item.get("question"), item.get("image"), item.get("word_boxes")
    if not isinstance(question, str) or not question.strip():
        raise PreprocessorError(f"the question is {question!r}: a text with something in it is needed")
    if image is None and given is None:
        raise PreprocessorError(
            f"there is nothing to ask about: give an image, word_boxes or both; found a row with the keys "
            f"{sorted(map(str, item))}"
        )
    if given is not None:
        for number, one in enumerate(given):
            if not (isinstance(one, Sequence) and len(one) == 2 and isinstance(one[0], str)):
                raise PreprocessorError(f"word_boxes[{number}] is {one!r:.60}: a word and its box are needed")
        given = [(word, [int(edge) for edge in box]) for word, box in given]
    return Asked(question, image, given)


def paired(image: Any, question: Any, word_boxes: Any) -> Any:
    """A row, or a row for each question about one document.

    Raises:
        PreprocessorError: questions and images of different numbers.
    """
    beside = {} if word_boxes is None else {"word_boxes": word_boxes}
    if not isinstance(question, list | tuple):
        return {"image": image, "question": question, **beside}
    images = list(image) if isinstance(image, list | tuple) else [image] * len(question)
    if len(images) != len(question):
        raise PreprocessorError(f"{len(question)} questions and {len(images)} images: give one image, or equally many")
    return [{"image": one, "question": asked, **beside} for one, asked in zip(images, question, strict=True)]


def rows_of(words: Iterator[Any]) -> Iterator[dict[str, Any]]:
    """Rows of what was given at a shell: a document, questions about it, the next document …

    Raises:
        PreprocessorError: a document without a question.
    """
    document, asked = None, True
    for word in words:
        if document is None or _is_document(word):
            if not asked:
                raise PreprocessorError(f"there is no question behind {document!r}: give a document, then questions")
            document, asked = word, False
        else:
            asked = True
            yield {"image": document, "question": word}
    if not asked:
        raise PreprocessorError(f"there is no question behind {document!r}: give a document, then questions")


def _is_document(word: str) -> bool:
    try:
        return is_url(word) or word.startswith("data:") or Path(word).is_file()
    except (OSError, ValueError):  # too long for a name; questions may be
        return False
