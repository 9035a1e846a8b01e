"""Pictures with a class."""

from collections.abc import Sequence
from typing import Any, final

from modelry_trainer.command.data.pictures import check_pictures
from modelry_trainer.command.data.table import Table
from modelry_trainer.command.kinds.classes import Classes, find_classes
from modelry_trainer.command.kinds.metrics import accuracy, likeliest
from modelry_trainer.command.kinds.preparing import Given, Prepared
from modelry_trainer.errors import BadRow


@final
class _Pictures(Sequence[dict[str, Any]]):
    """Rows with a picture, as the data have it, and the number of its class."""

    def __init__(self, table: Table, labels: Sequence[int]) -> None:
        self.rows, self.labels = table.rows, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, number: Any) -> Any:
        return {"image": self.rows[number]["image"], "labels": self.labels[number]}


def prepare_images(given: Given) -> Prepared:
    """Rows with "image" (a path, an address, or a picture) and "label"."""
    from modelry_trainer.collators import DataCollatorForImages

    table = given.train
    labels = [(table.place(number), value) for number, value in table.column("label", why="which says what it shows")]
    classes = find_classes(labels, table, column="label", config=given.config)
    return Prepared(
        _pictures(table, classes),
        None if given.evaluated is None else _pictures(given.evaluated, classes),
        lambda model: DataCollatorForImages(given.preprocessor),
        config=classes.config,
        metrics=accuracy,
        kept=likeliest,
    )


def _pictures(table: Table, classes: Classes) -> _Pictures:
    check_pictures(table)
    numbers = []
    for number, value in table.column("label", why="which says what it shows"):
        if "image" not in table.rows[number]:
            raise BadRow(f"{table.place(number)}: there is no 'image', a path, an address or a picture")
        numbers.append(classes.number(value, table.place(number)))
    return _Pictures(table, numbers)
