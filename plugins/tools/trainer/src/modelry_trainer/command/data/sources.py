"""Where the rows are: what data.train and data.eval name becomes two tables."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from modelry_trainer.command.data.files import data_files, read_files
from modelry_trainer.command.data.pictures import read_pictures
from modelry_trainer.command.data.table import Table, divided
from modelry_trainer.command.settings import DataSettings, Said
from modelry_trainer.errors import TrainFileError

_OF_THE_HUB = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")


def read_data(data: DataSettings, said: Said, *, pictures: bool) -> tuple[Table, Table | None]:
    """The rows for learning, and those for evaluation where the settings say which.

    Args:
        pictures: whether a folder holds pictures by class.

    Raises:
        TrainingError: files or rows are missing or damaged; the message says which.
    """
    train = _read(data.train, data, "train", data.train_split, said, pictures)
    evaluated: Table | None = None
    if data.eval is not None:
        evaluated = _read(data.eval, data, "eval", data.eval_split or data.train_split, said, pictures)
    elif data.eval_split is not None:
        if not isinstance(data.train, str) or Path(data.train).expanduser().exists():
            raise TrainFileError(
                f"data.eval_split {data.eval_split!r} is for data sets of the hub: name a file in data.eval, or a part "
                "of the rows in data.eval_fraction"
            )
        evaluated = _read(data.train, data, "train", data.eval_split, said, pictures)
    train, evaluated = train.renamed(data.columns), None if evaluated is None else evaluated.renamed(data.columns)
    if data.eval_fraction is not None:
        train, evaluated = divided(train, part=data.eval_fraction, seed=data.seed)
    if data.max_train_rows is not None:
        train = train.only(range(min(data.max_train_rows, len(train))))
    if evaluated is not None and data.max_eval_rows is not None:
        evaluated = evaluated.only(range(min(data.max_eval_rows, len(evaluated))))
    return train, evaluated


def _read(given: Any, data: DataSettings, key: str, split: str, said: Said, pictures: bool) -> Table:
    if not given:
        raise TrainFileError(f"data.{key} names nothing")
    if isinstance(given, str):
        path = Path(given).expanduser()
        if path.is_dir():
            return read_pictures(path) if pictures else read_files(data_files(path))
        if path.exists() or _is_a_file(given):
            return read_files([path])
        return _from_hub(given, data, split)
    if isinstance(given[0], str):
        return read_files([Path(one).expanduser() for one in given])
    return _rows_of_the_file(given, key, said)


def _is_a_file(given: str) -> bool:
    """Whether a name that nothing here has is meant as a file and not as a data set of the hub."""
    suffix = Path(given).suffix.lower()
    return suffix in _SUFFIXES or (bool(suffix) and "/" not in given) or not _OF_THE_HUB.fullmatch(given)


_SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".txt", ".parquet", ".gz", ".zip", ".arrow", ".yaml", ".yml")
"""Of what is certainly meant as a file."""


def _rows_of_the_file(rows: Sequence[Mapping[str, Any]], key: str, said: Said) -> Table:
    return Table(
        f"data.{key}", rows, lambda number: said.get(("data", key, str(number)), f"data.{key}, row {number + 1}")
    )


def _from_hub(name: str, data: DataSettings, split: str) -> Table:
    try:
        import datasets  # type: ignore[import-untyped]  # not installed everywhere, and then unknown
    except ImportError as error:
        raise TrainFileError(
            f"there is no file or folder {name}; a data set of the hub is read with datasets. Run: pip install datasets"
        ) from error
    try:
        rows = datasets.load_dataset(name, data.name, split=split, revision=data.revision)
    except Exception as error:  # whatever a builder of data sets raises
        raise TrainFileError(
            f"there is no file or folder {name}, and as a data set of the hub it cannot be loaded: "
            f"{type(error).__name__}: {error}"
        ) from error
    names = {key: feature.names for key, feature in rows.features.items() if isinstance(feature, datasets.ClassLabel)}
    return Table(f"{name} ({split})", rows, lambda number: f"{name} ({split}), row {number}", names)
