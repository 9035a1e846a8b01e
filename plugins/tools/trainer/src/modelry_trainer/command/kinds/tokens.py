"""Words with a class each: names, parts of speech."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from modelry_trainer.collators.labels import IGNORED
from modelry_trainer.command.data.table import Table
from modelry_trainer.command.kinds.classes import find_classes
from modelry_trainer.command.kinds.metrics import accuracy, likeliest
from modelry_trainer.command.kinds.preparing import Given, Lengths, Prepared
from modelry_trainer.command.kinds.texts import filled
from modelry_trainer.command.kinds.token_rows import TokenRows
from modelry_trainer.errors import BadRow


def prepare_tokens(given: Given) -> Prepared:
    """Rows with "tokens", a list of words, and "labels", a class for each."""
    from modelry_trainer.collators import DataCollatorForTokenClassification

    tokenizer, everywhere = given.preprocessor, given.settings.label_all_tokens
    labels = [(place, label) for _, labels, place in _words(given.train) for label in labels]
    classes = find_classes(labels, given.train, column="labels", config=given.config)
    lengths = Lengths(given.longest, given.settings.overlong)

    def encoded(words: Sequence[str], numbers: Sequence[int], most: int | None) -> dict[str, Any]:
        found = tokenizer(list(words), is_split_into_words=True, truncation=most is not None, max_length=most)
        return {**found, "labels": _spread(found.word_ids(), numbers, everywhere)}

    def rows(table: Table) -> TokenRows:
        def each() -> Iterator[dict[str, Any]]:
            for words, labels, place in _words(table):
                numbers = [classes.number(label, place) for label in labels]
                row = encoded(words, numbers, None)
                yield from lengths.settled(row, len(row["input_ids"]), place, cut=partial(encoded, words, numbers))

        return filled(TokenRows(each()), table)

    train = rows(given.train)
    return Prepared(
        train,
        None if given.evaluated is None else rows(given.evaluated),
        lambda model: DataCollatorForTokenClassification(tokenizer),
        config=classes.config,
        metrics=accuracy,
        kept=likeliest,
        notes=lengths.notes(),
    )


def _words(table: Table) -> Iterator[tuple[Sequence[str], Sequence[Any], str]]:
    """Words, labels and place of each row.

    Raises:
        BadRow: they are no lists of one length, or a word is no text.
    """
    for number, words in table.column("tokens", why="a list of words"):
        place, labels = table.place(number), table.rows[number].get("labels")
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise BadRow(f"{place}: 'tokens' is no list of words")
        if not isinstance(labels, list) or len(labels) != len(words):
            has = f"{len(labels)} labels" if isinstance(labels, list) else f"'labels' {labels!r}"
            raise BadRow(f"{place}: there are {len(words)} words and {has}: each word needs one label")
        yield words, labels, place


def _spread(words: Sequence[int | None], numbers: Sequence[int], everywhere: bool) -> list[int]:
    """Labels of pieces, from those of words; what is no word's, or not its first, does not count."""
    labels, before = [], None
    for word in words:
        labels.append(IGNORED if word is None or (word == before and not everywhere) else numbers[word])
        before = word
    return labels
