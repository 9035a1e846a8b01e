"""generation_config.json on disk, or the like of it inside a checkpoint file."""

from pathlib import Path
from typing import Any

from modelry.config_file import read_json_object
from modelry.errors import ConfigError, GenerationError, NotFound
from modelry.hub import Source

FILE_NAME = "generation_config.json"


def read_generation_file(source: Source, name: str = FILE_NAME) -> tuple[dict[str, Any], Path]:
    """The values of a source's generation configuration, and the file they are from.

    Raises:
        NotFound: there is none.
        GenerationError: it is no JSON object.
    """
    single = source.single
    if single is not None and single.suffix != ".json":
        return _carried(single), single
    path = single if single is not None else source.file(name)
    assert path is not None
    try:
        return read_json_object(path), path
    except ConfigError as error:
        raise GenerationError(str(error)) from error


def _carried(path: Path) -> dict[str, Any]:
    from modelry.checkpoint.formats import open_reader

    with open_reader(path) as reader:
        values = reader.generation_config()
    if values is None:
        raise NotFound(f"{path} carries no generation configuration")
    return dict(values)
