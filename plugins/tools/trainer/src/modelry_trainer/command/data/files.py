"""Rows of local files: JSON, JSON lines, CSV, TSV, plain text, Parquet. What is wrong is named with file and line."""

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from modelry_trainer.command.data.table import Row, Table
from modelry_trainer.errors import BadRow, TrainFileError

Numbered = tuple[int, Row]
"""A row, and the number of its line; of formats without lines, its number from 1 on."""


def read_files(files: Sequence[Path]) -> Table:
    """The rows of files, one file after the other.

    Raises:
        TrainFileError: a file is missing, unreadable, empty, or of an unknown kind.
        BadRow: a row is damaged.
    """
    rows: list[Row] = []
    places: list[tuple[int, int]] = []
    words: list[str] = []
    for number, file in enumerate(files):
        reader, word = _READERS[_kind(file)]
        words.append(word)
        before = len(rows)
        try:
            for line, row in reader(file):
                rows.append(row)
                places.append((number, line))
        except UnicodeDecodeError as error:
            raise TrainFileError(f"{file} is no UTF-8 text: {error}") from error
        except OSError as error:
            raise TrainFileError(f"{file} cannot be read: {error}") from error
        if len(rows) == before:
            raise TrainFileError(f"{file} has no rows")

    def place(row: int) -> str:
        number, line = places[row]
        return f"{files[number]}, {words[number]} {line}"

    return Table(", ".join(map(str, files)), rows, place)


def _kind(file: Path) -> str:
    if not file.exists():
        raise TrainFileError(f"there is no file {file}")
    if file.suffix.lower() not in _READERS:
        raise TrainFileError(f"{file} is of an unknown kind: write one of {', '.join(_READERS)}")
    return file.suffix.lower()


def data_files(folder: Path) -> list[Path]:
    """The files of a folder that hold rows, in the order of their names.

    Raises:
        TrainFileError: there is none.
    """
    found = sorted(file for file in folder.iterdir() if file.suffix.lower() in _READERS)
    if not found:
        raise TrainFileError(f"the folder {folder} has no file of rows ({', '.join(_READERS)})")
    return found


def _json_lines(file: Path) -> Iterator[Numbered]:
    with file.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise BadRow(f"{file}, line {number}: this is no JSON: {error}") from error
            yield number, _mapping(row, f"{file}, line {number}")


def _json(file: Path) -> Iterator[Numbered]:
    try:
        values = json.loads(file.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        if "Extra data" in str(error):  # one object a line, under the other name
            yield from _json_lines(file)
            return
        raise TrainFileError(f"{file} is no JSON: {error}") from error
    if not isinstance(values, list):
        raise TrainFileError(f"{file} holds one {type(values).__name__}: a list of rows is needed, or .jsonl")
    for number, row in enumerate(values, 1):
        yield number, _mapping(row, f"{file}, row {number}")


def _mapping(row: Any, where: str) -> Row:
    if not isinstance(row, dict):
        raise BadRow(f"{where}: this is a {type(row).__name__}: a row is an object of columns, {{...}}")
    return row


def _table_of(separator: str) -> Callable[[Path], Iterator[Numbered]]:
    def read(file: Path) -> Iterator[Numbered]:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines, delimiter=separator, strict=True)
            try:
                header = next(reader, [])
                for cells in reader:
                    if not cells:
                        continue
                    if len(cells) != len(header):
                        raise BadRow(
                            f"{file}, line {reader.line_num}: there are {len(cells)} cells under {len(header)} columns "
                            f"({', '.join(header)}); a cell with a separator in it is written in quotes"
                        )
                    yield reader.line_num, dict(zip(header, cells, strict=True))
            except csv.Error as error:
                raise BadRow(f"{file}, line {reader.line_num}: {error}") from error

    return read


def _text(file: Path) -> Iterator[Numbered]:
    with file.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield number, {"text": line.rstrip("\r\n")}


def _parquet(file: Path) -> Iterator[Numbered]:
    try:
        import pyarrow  # type: ignore[import-untyped]  # it ships no types
        from pyarrow import parquet
    except ImportError as error:
        raise TrainFileError(f"{file} is read with pyarrow. Run: pip install pyarrow") from error
    try:
        rows = parquet.read_table(file).to_pylist()
    except pyarrow.ArrowException as error:
        raise TrainFileError(f"{file} is no Parquet: {error}") from error
    yield from enumerate(rows, 1)


_READERS: Mapping[str, tuple[Callable[[Path], Iterator[Numbered]], str]] = {
    ".jsonl": (_json_lines, "line"),
    ".json": (_json, "row"),
    ".csv": (_table_of(","), "line"),
    ".tsv": (_table_of("\t"), "line"),
    ".txt": (_text, "line"),
    ".parquet": (_parquet, "row"),
}
"""Suffix to the reader, and what it numbers."""
