"""The files that a tokenizer is saved as: the same that are read, each fact in one of them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenizers import AddedToken

from modelry.errors import PreprocessorError
from modelry.preprocessing.tokenizer_files import (
    CONFIG_FILE,
    SPECIAL_TOKENS_FILE,
    TEMPLATE_FILE,
    TEMPLATE_FOLDER,
    TOKENIZER_FILE,
)

if TYPE_CHECKING:
    from modelry.preprocessing.tokenizer import Tokenizer

_ELSEWHERE = frozenset(
    [
        "add_bos_token",
        "add_eos_token",
        "added_tokens_decoder",
        "chat_template",
        "additional_special_tokens",
        "extra_special_tokens",
    ]
)
"""Keys of tokenizer_config.json that are written as they are now, or stand in another file."""


def saved_files(tokenizer: "Tokenizer") -> dict[str, str]:
    """File name -> text.

    Raises:
        PreprocessorError: the name of a chat template cannot be a file name.
    """
    with tokenizer._lock:
        tokenizer.backend_tokenizer.no_padding()
        tokenizer.backend_tokenizer.no_truncation()
        files = {TOKENIZER_FILE: tokenizer.backend_tokenizer.to_str(pretty=True)}
    files[CONFIG_FILE] = _text(_config(tokenizer))
    files[SPECIAL_TOKENS_FILE] = _text(_special(tokenizer))
    templates = tokenizer.chat_template or {}
    for name, template in ({"default": templates} if isinstance(templates, str) else templates).items():
        if name != Path(name).name or name.startswith("."):
            raise PreprocessorError(f"the chat template {name!r} cannot be saved: its name cannot be a file name")
        files[TEMPLATE_FILE if name == "default" else f"{TEMPLATE_FOLDER}/{name}.jinja"] = template
    return files


def _config(tokenizer: "Tokenizer") -> dict[str, Any]:
    """tokenizer_config.json: what was read, with what may have changed since."""
    kept = {
        name: _plain(value)
        for name, value in tokenizer.init_kwargs.items()
        if name not in _ELSEWHERE and not name.endswith("_token")
    }
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        **kept,
        **_special(tokenizer),
        "model_max_length": tokenizer.model_max_length,
        "padding_side": tokenizer.padding_side,
        "truncation_side": tokenizer.truncation_side,
        "model_input_names": tokenizer.model_input_names,
        "clean_up_tokenization_spaces": tokenizer.clean_up_tokenization_spaces,
        "split_special_tokens": tokenizer.split_special_tokens,
    }


def _special(tokenizer: "Tokenizer") -> dict[str, Any]:
    extra = tokenizer.extra_special_tokens
    return {**tokenizer.special_tokens_map, **({"extra_special_tokens": extra} if extra else {})}


def _plain(value: Any) -> Any:
    """Tokens with flags as published files write them."""
    if isinstance(value, AddedToken):
        return {"__type": "AddedToken", **value.__getstate__()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return {name: _plain(one) for name, one in value.items()} if isinstance(value, Mapping) else value


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
