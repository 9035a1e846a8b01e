"""Texts with a class, several labels, or a number."""

from collections.abc import Iterator, Sequence
from typing import Any

from modelry_trainer.command.data.table import Table
from modelry_trainer.command.kinds.classes import Classes, find_classes
from modelry_trainer.command.kinds.metrics import accuracy, distances, likeliest, several_labels
from modelry_trainer.command.kinds.preparing import Given, Lengths, Prepared, text_of
from modelry_trainer.command.kinds.texts import filled
from modelry_trainer.command.kinds.token_rows import TokenRows
from modelry_trainer.errors import BadRow

_WHY = "which says what the answer is"


def prepare_sequences(given: Given) -> Prepared:
    """Rows with "text" (and "text_pair") and "label": a text or a whole number, a list of them, or a number."""
    from modelry_trainer.collators import DataCollatorWithPadding

    tokenizer, table = given.preprocessor, given.train
    labels = [(table.place(number), value) for number, value in table.column("label", why=_WHY)]
    kind = given.settings.problem_type or _kind_of(labels[0][1])
    classes = _classes(labels, given, kind)
    lengths = Lengths(given.longest, given.settings.overlong)

    def rows(table: Table) -> TokenRows:
        def each() -> Iterator[dict[str, Any]]:
            for number, value in table.column("text", why="the text to be classified"):
                place, row = table.place(number), table.rows[number]
                if row.get("label") is None:
                    raise BadRow(f"{place}: there is no 'label', {_WHY}")
                texts = [text_of(value, place, "text")]
                if row.get("text_pair") is not None:
                    texts.append(text_of(row["text_pair"], place, "text_pair"))
                encoded = dict(tokenizer(*texts, truncation=False))

                def cut(most: int, texts: Sequence[str] = texts) -> dict[str, Any]:
                    return dict(tokenizer(*texts, truncation=True, max_length=most))

                for kept in lengths.settled(encoded, len(encoded["input_ids"]), place, cut=cut):
                    yield {**kept, "labels": _label(row["label"], classes, kind, place)}

        return filled(TokenRows(each()), table)

    train = rows(table)
    evaluated = None if given.evaluated is None else rows(given.evaluated)
    metrics = {"regression": distances, "multi_label_classification": several_labels}.get(kind, accuracy)
    return Prepared(
        train,
        evaluated,
        lambda model: DataCollatorWithPadding(tokenizer),
        config={"problem_type": kind, **({"num_labels": 1} if classes is None else classes.config)},
        metrics=metrics,
        kept=likeliest if metrics is accuracy else None,
        notes=lengths.notes(),
    )


def _kind_of(label: Any) -> str:
    if isinstance(label, list | tuple):
        return "multi_label_classification"
    return "regression" if isinstance(label, float) else "single_label_classification"


def _classes(labels: Sequence[tuple[str, Any]], given: Given, kind: str) -> Classes | None:
    if kind == "regression":
        return None
    if kind == "multi_label_classification":
        single = []
        for place, values in labels:
            if not isinstance(values, list | tuple):
                raise BadRow(
                    f"{place}: 'label' is a {type(values).__name__}: a list of labels is needed, as in other rows"
                )
            single += [(place, value) for value in values]
        labels = single
    return find_classes(labels, given.train, column="label", config=given.config)


def _label(value: Any, classes: Classes | None, kind: str, place: str) -> Any:
    if classes is None:
        try:
            return float(value)
        except (TypeError, ValueError):
            raise BadRow(f"{place}: the label is {value!r}: a number is needed") from None
    if kind != "multi_label_classification":
        return classes.number(value, place)
    if not isinstance(value, list | tuple):
        raise BadRow(f"{place}: 'label' is a {type(value).__name__}: a list of labels is needed, as in other rows")
    marked = [0.0] * classes.count
    for one in value:
        marked[classes.number(one, place)] = 1.0
    return marked
