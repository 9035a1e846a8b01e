"""The files of a tokenizer: collecting them from a source, reading them with suspicion, and what they say together.

Nothing here builds a tokenizer: see modelry.preprocessing.backend.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from modelry.errors import NotFound, PreprocessorError
from modelry.hub import Source
from modelry.preprocessing.tokenizer_classes import class_of_family

TOKENIZER_FILE = "tokenizer.json"
CONFIG_FILE = "tokenizer_config.json"
SPECIAL_TOKENS_FILE = "special_tokens_map.json"
ADDED_TOKENS_FILE = "added_tokens.json"
MODEL_FILE = "config.json"
"""The model's; read where the tokenizer's own files do not say which class wrote them, as old ones do not."""
TEMPLATE_FILE = "chat_template.jinja"
OLD_TEMPLATE_FILE = "chat_template.json"
TEMPLATE_FOLDER = "additional_chat_templates"
SENTENCEPIECE_FILES = ("tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "sentencepiece.model", "spm.model")
VOCABULARY_FILES = ("vocab.txt", "vocab.json", "merges.txt", *SENTENCEPIECE_FILES)

_SETTINGS_FILES = (CONFIG_FILE, SPECIAL_TOKENS_FILE, ADDED_TOKENS_FILE, TEMPLATE_FILE, OLD_TEMPLATE_FILE)


@dataclass(frozen=True)
class TokenizerFiles:
    """File name -> content, with errors that say where a file is from."""

    content: Mapping[str, str | bytes]
    where: str

    def __contains__(self, name: str) -> bool:
        return name in self.content

    def text(self, name: str) -> str:
        """One file as text.

        Raises:
            PreprocessorError: it is not UTF-8.
        """
        value = self.content[name]
        if isinstance(value, str):
            return value
        try:
            return bytes(value).decode("utf-8")
        except UnicodeDecodeError as error:
            raise PreprocessorError(
                f"{self.where}/{name} is not UTF-8 text: byte {error.start} is {error.reason}"
            ) from error

    def data(self, name: str) -> bytes:
        """One file as bytes."""
        value = self.content[name]
        return value.encode() if isinstance(value, str) else bytes(value)

    def json(self, name: str) -> dict[str, Any]:
        """One file as a JSON object; empty when there is no such file.

        Raises:
            PreprocessorError: it is not JSON, or not an object.
        """
        if name not in self.content:
            return {}
        try:
            value = json.loads(self.text(name))
        except (ValueError, RecursionError) as error:  # ValueError: no JSON, or a number of too many digits
            raise PreprocessorError(f"{self.where}/{name} is not valid JSON: {error}") from error
        if not isinstance(value, dict):
            raise PreprocessorError(f"{self.where}/{name} holds a {type(value).__name__}; a JSON object is expected")
        return value


def collect_files(source: Source) -> TokenizerFiles:
    """Read what a tokenizer needs from a folder, a repository, a tokenizer.json, or a checkpoint that carries one.

    Raises:
        NotFound: there is no tokenizer; the message names the files looked for.
        PreprocessorError: a file cannot be read.
    """
    if source.single is not None and source.single.suffix not in (".json", ".txt", ".model"):
        return _carried_files(source)
    names = source.names()
    if source.single is not None:
        wanted = {source.single.name: _usual_name(source.single.name)}
    else:
        wanted = {name: name for name in (*_SETTINGS_FILES, TOKENIZER_FILE) if name in names}
        if TOKENIZER_FILE not in wanted:
            wanted.update({name: name for name in VOCABULARY_FILES if name in names})
        wanted.update({name: name for name in (*names, *_in_template_folder(source)) if _is_template(name)})
    content: dict[str, str | bytes] = {usual: _read(source, name) for name, usual in wanted.items()}
    says_class = "tokenizer_class" in TokenizerFiles(content, source.name).json(CONFIG_FILE)
    if source.single is None and not says_class and MODEL_FILE in names:
        content[MODEL_FILE] = _read(source, MODEL_FILE)
    if not any(name in content for name in (TOKENIZER_FILE, *VOCABULARY_FILES)):
        raise source.lacks(f"tokenizer: looked for {TOKENIZER_FILE}, {', '.join(VOCABULARY_FILES)}")
    return TokenizerFiles(content, source.name)


def _read(source: Source, name: str) -> bytes:
    path = source.file(name)
    assert path is not None
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}") from error


def _in_template_folder(source: Source) -> list[str]:
    """The files in a local folder of templates; a repository's listing has them anyway."""
    if source.folder is None or not (source.folder / TEMPLATE_FOLDER).is_dir():
        return []
    return [f"{TEMPLATE_FOLDER}/{path.name}" for path in sorted((source.folder / TEMPLATE_FOLDER).iterdir())]


def _is_template(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix == ".jinja" and path.parent == PurePosixPath(TEMPLATE_FOLDER)


def _usual_name(name: str) -> str:
    """A single file may have any name: "my-tokenizer.json" is read as a tokenizer.json."""
    suffix = PurePosixPath(name).suffix
    if name in VOCABULARY_FILES:
        return name
    return {".json": TOKENIZER_FILE, ".txt": "vocab.txt"}.get(suffix, SENTENCEPIECE_FILES[0])


def _carried_files(source: Source) -> TokenizerFiles:
    from modelry.checkpoint.formats import open_reader

    assert source.single is not None
    with open_reader(source.single) as reader:
        files = reader.tokenizer_files()
    if not files:
        raise NotFound(f"{source.name} carries no tokenizer; give the folder that holds its {TOKENIZER_FILE}")
    return TokenizerFiles(dict(files), source.name)


def read_settings(files: TokenizerFiles, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """What tokenizer_config.json says, completed by its older companions and by the caller's own settings.

    Args:
        overrides: keyword arguments of from_pretrained; they win.
    """
    settings = files.json(CONFIG_FILE)
    model = files.json(MODEL_FILE)
    implied = model.get("tokenizer_class") or class_of_family(model.get("model_type"))
    if implied is not None:
        settings.setdefault("tokenizer_class", implied)
    if "added_tokens_decoder" not in settings:
        for name, value in files.json(SPECIAL_TOKENS_FILE).items():
            settings[name] = value
        added = files.json(ADDED_TOKENS_FILE)
        if added and TOKENIZER_FILE not in files:
            special = {_content(value) for name, value in settings.items() if name.endswith("_token")}
            settings["added_tokens_decoder"] = {
                token_id: {"content": token, "normalized": token not in special, "special": token in special}
                for token, token_id in added.items()
            }
    templates = read_templates(files)
    if templates:
        settings["chat_template"] = templates["default"] if list(templates) == ["default"] else templates
    if TOKENIZER_FILE in files:  # its post-processor is what the model was trained with; these keys are often stale
        settings.pop("add_bos_token", None)
        settings.pop("add_eos_token", None)
    settings.update(overrides)
    return settings


def read_templates(files: TokenizerFiles) -> dict[str, str]:
    """Template name -> text: "default" of chat_template.jinja (or the old JSON file), the others of their folder."""
    templates: dict[str, str] = {}
    old = files.json(OLD_TEMPLATE_FILE).get("chat_template")
    if isinstance(old, str):
        templates["default"] = old
    if TEMPLATE_FILE in files:
        templates["default"] = files.text(TEMPLATE_FILE)
    for name in files.content:
        if _is_template(name):
            templates[PurePosixPath(name).stem] = files.text(name)
    return templates


def _content(value: object) -> object:
    return value.get("content") if isinstance(value, dict) else value
