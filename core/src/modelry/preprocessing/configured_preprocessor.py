"""Preprocessors whose settings stand in one JSON file beside the model: loading, checking and saving them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from modelry.atomic import write_text
from modelry.errors import ConfigError, NotFound, PreprocessorError
from modelry.hub import Source
from modelry.preprocessing.preprocessor import PathLike, Preprocessor

PROCESSOR_FILE = "processor_config.json"
"""Newer publications put the settings of all preprocessors into this file, each under its role."""


class PreprocessorParameters(BaseModel):
    """The settings of one preprocessor. Field names are the published keys; unknown keys are kept."""

    model_config = ConfigDict(extra="allow", validate_assignment=True, arbitrary_types_allowed=True)


class ConfiguredPreprocessor(Preprocessor):
    """A preprocessor that is its settings. Subclasses name the file and the parameters, and say what a call does."""

    file_name: ClassVar[str]
    type_key: ClassVar[str]
    """The key under which the file names the class that wrote it; never used to choose a class."""
    parameters_class: ClassVar[type[PreprocessorParameters]] = PreprocessorParameters

    def __init__(self, **parameters: Any) -> None:
        """
        Raises:
            PreprocessorError: a parameter of the wrong type, or impossible; names it.
        """
        self.parameters = self._check(parameters, type(self).__name__)

    @classmethod
    def from_source(cls, source: Source, settings: Mapping[str, Any]) -> Self:
        """Load from a resolved place; `settings` replace published values."""
        values, where = cls._read(source)
        made = cls.__new__(cls)
        made.parameters = cls._check({**values, **settings}, where)
        return made

    def __getattr__(self, name: str) -> Any:
        """The parameters, as attributes."""
        parameters = self.__dict__.get("parameters")
        if parameters is not None and name in {*type(parameters).model_fields, *(parameters.model_extra or ())}:
            return getattr(parameters, name)
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def to_dict(self) -> dict[str, Any]:
        """The values of the file."""
        return {**self.parameters.model_dump(mode="json"), self.type_key: type(self).__name__}

    def save_pretrained(self, save_directory: PathLike) -> tuple[str, ...]:
        """Write the settings file.

        Returns:
            Its path.
        """
        text = json.dumps(self.to_dict(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        return (str(write_text(Path(save_directory) / self.file_name, text)),)

    @classmethod
    def _read(cls, source: Source) -> tuple[dict[str, Any], str]:
        """The published values, and the file they stand in."""
        if source.single is not None and source.single.suffix not in (".json", ".txt", ".model"):
            return _carried(source.single, cls.role)
        single = source.single if source.single is not None and source.single.suffix == ".json" else None
        path = single or source.file(cls.file_name, required=False)
        if path is not None:
            return _json_object(path), str(path)
        together = source.file(PROCESSOR_FILE, required=False)
        values = _json_object(together).get(cls.role.replace("-", "_")) if together is not None else None
        if not isinstance(values, Mapping):
            raise NotFound(f"{source.name} holds no {cls.role.replace('-', ' ')}: looked for {cls.file_name}")
        return dict(values), str(together)

    @classmethod
    def _check(cls, values: Mapping[str, Any], where: str) -> PreprocessorParameters:
        try:
            return cls.parameters_class.model_validate(dict(values))
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"])) or "a parameter"
            raise PreprocessorError(f"{where}: {name} is {first['input']!r:.60}: {first['msg']}") from error


def _carried(path: Path, role: str) -> tuple[dict[str, Any], str]:
    from modelry.checkpoint.formats import open_reader

    with open_reader(path) as reader:
        values = reader.preprocessor_config()
    if values is None:
        raise NotFound(f"{path} carries no {role.replace('-', ' ')}; give the folder that holds its settings")
    return dict(values), str(path)


def _json_object(path: Path) -> dict[str, Any]:
    from modelry.config_file import read_json_object

    try:
        return read_json_object(path)
    except ConfigError as error:
        raise PreprocessorError(str(error)) from error
