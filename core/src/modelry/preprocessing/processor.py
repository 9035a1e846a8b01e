"""Several preprocessors as one: a tokenizer and what else the model takes, called, loaded and saved together."""

import json
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self, cast

from modelry.atomic import write_text
from modelry.errors import ConfigError, PreprocessorError
from modelry.hub import Source
from modelry.preprocessing.configured_preprocessor import PROCESSOR_FILE
from modelry.preprocessing.features import BatchFeature
from modelry.preprocessing.preprocessor import PathLike, Preprocessor
from modelry_registry import resolve


class Processor(Preprocessor):
    """The interface. A family's processor names its parts and says what a call does with them."""

    role: ClassVar[str] = "processor"
    parts: ClassVar[Mapping[str, type[Preprocessor] | str]]
    """Attribute ("tokenizer", "image_processor") -> class, or "module:Name" of it."""

    def __init__(self, *, chat_template: str | None = None, **parts_and_settings: Any) -> None:
        """
        Args:
            chat_template: instead of the tokenizer's own.
            parts_and_settings: every part by its name; everything else is a setting of processor_config.json.

        Raises:
            PreprocessorError: a part is missing or of another class.
        """
        for name in self.parts:
            part, wanted = parts_and_settings.pop(name, None), self._part_class(name)
            if not isinstance(part, wanted):
                raise PreprocessorError(
                    f"{type(self).__name__} needs {name}= a {wanted.__name__}; it was given {part!r:.40}"
                )
            setattr(self, name, part)
        self.chat_template = chat_template
        self.settings: dict[str, Any] = parts_and_settings

    @abstractmethod
    def __call__(
        self, text: Any = None, images: Any = None, videos: Any = None, audio: Any = None, **options: Any
    ) -> BatchFeature:
        """Turn text with images, videos or sound into model inputs. A family refuses what it does not take."""

    @classmethod
    def from_source(cls, source: Source, settings: Mapping[str, Any]) -> Self:
        """Load every part and the processor's own settings; `settings` give parts, or replace settings."""
        path = source.file(PROCESSOR_FILE, required=False)
        own = {} if path is None else _own_settings(path, cls.parts)
        parts = {name: cls._part_class(name).from_pretrained(source) for name in cls.parts if name not in settings}
        return cls(**{**own, **parts, **settings})

    def save_pretrained(self, save_directory: PathLike) -> tuple[str, ...]:
        """Save every part, and processor_config.json.

        Returns:
            The paths written.
        """
        folder = Path(save_directory)
        written = [path for name in self.parts for path in self._part(name).save_pretrained(folder)]
        values = {**self.settings, "processor_class": type(self).__name__}
        if self.chat_template is not None:
            values["chat_template"] = self.chat_template
        text = json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        return (*written, str(write_text(folder / PROCESSOR_FILE, text)))

    def apply_chat_template(self, conversation: Any, *, chat_template: str | None = None, **options: Any) -> Any:
        """Write messages as the model was trained to read them: the tokenizer's apply_chat_template."""
        wanted = self.chat_template if chat_template is None else chat_template
        return self._tokenizer().apply_chat_template(conversation, chat_template=wanted, **options)

    def decode(self, token_ids: Any, **options: Any) -> Any:
        """The tokenizer's decode."""
        return self._tokenizer().decode(token_ids, **options)

    def batch_decode(self, sequences: Any, **options: Any) -> list[str]:
        """The tokenizer's batch_decode."""
        found: list[str] = self._tokenizer().batch_decode(sequences, **options)
        return found

    def _part(self, name: str) -> Preprocessor:
        return cast(Preprocessor, getattr(self, name))

    def _tokenizer(self) -> Any:
        if "tokenizer" not in self.parts:
            raise PreprocessorError(f"{type(self).__name__} has no tokenizer; it has {', '.join(self.parts)}")
        return self._part("tokenizer")

    @classmethod
    def _part_class(cls, name: str) -> type[Preprocessor]:
        part = cls.parts[name]
        return cast(type[Preprocessor], resolve(part)) if isinstance(part, str) else part


def _own_settings(path: Path, parts: Mapping[str, object]) -> dict[str, Any]:
    """processor_config.json without its bookkeeping and without the parts, which load themselves."""
    from modelry.config_file import read_json_object

    try:
        values = read_json_object(path)
    except ConfigError as error:
        raise PreprocessorError(str(error)) from error
    return {name: value for name, value in values.items() if name != "processor_class" and name not in parts}
