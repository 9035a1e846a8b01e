"""A folder of pictures as rows: each folder in it is a class. Every file is opened once, so that none fails later."""

from pathlib import Path
from typing import Any

from modelry.preprocessing.images.loading import pillow
from modelry_trainer.command.data.table import Row, Table
from modelry_trainer.errors import BadRow, TrainFileError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")


def read_pictures(folder: Path) -> Table:
    """Rows with "image" (the path) and "label" (the name of its folder), in the order of their names.

    Raises:
        TrainFileError: there is no class, or one without pictures.
        BadRow: a file is no picture.
    """
    classes = sorted(one for one in folder.iterdir() if one.is_dir() and not one.name.startswith("."))
    if not classes:
        raise TrainFileError(f"{folder} has no folders: pictures lie in one folder a class ({folder}/cat/1.jpg)")
    rows: list[Row] = []
    for one in classes:
        files = sorted(file for file in one.iterdir() if file.suffix.lower() in SUFFIXES)
        if not files:
            raise TrainFileError(f"the class {one} has no pictures ({', '.join(SUFFIXES)})")
        rows += [{"image": str(file), "label": one.name} for file in files]
    table = Table(str(folder), rows, lambda number: str(rows[number]["image"]))
    check_pictures(table)
    return table


def check_pictures(table: Table) -> None:
    """Open every picture that is a file.

    Raises:
        BadRow: one is missing, or no picture.
    """
    images = pillow()
    for number in range(len(table)):
        given: Any = table.rows[number].get("image")
        if isinstance(given, str) and "://" not in given:
            try:
                with images.open(given):
                    pass
            except (OSError, ValueError, SyntaxError) as error:
                raise BadRow(f"{table.place(number)}: {given} is no picture that can be read: {error}") from error
