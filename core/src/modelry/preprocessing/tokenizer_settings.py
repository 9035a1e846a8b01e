"""What the keys of tokenizer_config.json mean to a tokenizer, checked. Where they are from: tokenizer_files.py."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tokenizers import AddedToken

from modelry.errors import PreprocessorError
from modelry.preprocessing.padding import NO_LIMIT, check_side
from modelry.preprocessing.special_tokens import NAMED_TOKENS, read_token
from modelry.preprocessing.vocabulary import EXTRA_NAMES


@dataclass(frozen=True)
class TokenizerSettings:
    """The keys that change what a tokenizer does."""

    special: dict[str, AddedToken]
    extra: list[AddedToken]
    added: list[AddedToken]
    """In the order of their ids."""
    model_max_length: int
    padding_side: str
    truncation_side: str
    model_input_names: list[str]
    pad_token_type_id: int
    clean_up_tokenization_spaces: bool
    split_special_tokens: bool
    chat_template: str | dict[str, str] | None
    add_bos_token: bool | None
    add_eos_token: bool | None


def read_tokenizer_settings(values: Mapping[str, Any], where: str) -> TokenizerSettings:
    """Check the values of tokenizer_config.json.

    Raises:
        PreprocessorError: a value of the wrong type; says where it stands.
    """
    special: dict[str, AddedToken] = {}
    extra: list[AddedToken] = []
    for name, value in values.items():
        if name in EXTRA_NAMES:
            if isinstance(value, Mapping):
                special.update({one: read_token(token, name=f"{where}: {one}") for one, token in value.items()})
            elif isinstance(value, list | tuple):
                extra.extend(read_token(token, name=f"{where}: {name}") for token in value)
        elif _is_token(name, value):
            special[name] = read_token(value, name=f"{where}: {name}")
    decoder = values.get("added_tokens_decoder") or {}
    if not isinstance(decoder, Mapping) or not all(str(key).isdecimal() for key in decoder):
        raise PreprocessorError(f"{where}: added_tokens_decoder must map ids to tokens")
    added = [read_token(decoder[key], name=f"{where}: added token {key}") for key in sorted(decoder, key=int)]
    flags = {token.content: token for token in added}
    limit = values.get("model_max_length", values.get("max_len"))
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int | float) or limit <= 0):
        raise PreprocessorError(f"{where}: model_max_length is {limit!r}; give a number of tokens")
    names = values.get("model_input_names", ["input_ids", "attention_mask"])
    if not isinstance(names, list | tuple) or not names or not all(isinstance(name, str) for name in names):
        raise PreprocessorError(
            f"{where}: model_input_names is {names!r:.60}; give a list of names, the main input first"
        )
    return TokenizerSettings(
        special={name: flags.get(token.content, token) for name, token in special.items()},
        extra=[flags.get(token.content, token) for token in extra],
        added=added,
        model_max_length=NO_LIMIT if limit is None else int(min(limit, NO_LIMIT)),
        padding_side=check_side(f"{where}: padding_side", values.get("padding_side", "right")),
        truncation_side=check_side(f"{where}: truncation_side", values.get("truncation_side", "right")),
        model_input_names=list(names),
        pad_token_type_id=int(values.get("pad_token_type_id") or 0),
        clean_up_tokenization_spaces=bool(values.get("clean_up_tokenization_spaces", False)),
        split_special_tokens=bool(values.get("split_special_tokens", False)),
        chat_template=_templates(values.get("chat_template"), where),
        add_bos_token=_optional_flag("add_bos_token", values, where),
        add_eos_token=_optional_flag("add_eos_token", values, where),
    )


def _is_token(name: str, value: object) -> bool:
    """True for "eos_token" and a model's own "image_token", not for "add_bos_token": true."""
    if name in NAMED_TOKENS:
        return value is not None
    return name.endswith("_token") and isinstance(value, str | Mapping | AddedToken)


def _optional_flag(name: str, values: Mapping[str, Any], where: str) -> bool | None:
    value = values.get(name)
    if value is not None and not isinstance(value, bool):
        raise PreprocessorError(f"{where}: {name} is {value!r:.60}; use true or false")
    return value


def _templates(value: object, where: str) -> str | dict[str, str] | None:
    """One template, or several by name; older files write those as a list of objects."""
    if isinstance(value, list | tuple) and all(
        isinstance(one, Mapping) and {"name", "template"} <= one.keys() for one in value
    ):
        value = {one["name"]: one["template"] for one in value}
    if isinstance(value, Mapping) and all(isinstance(one, str) for pair in value.items() for one in pair):
        return dict(value)
    if value is None or isinstance(value, str):
        return value
    raise PreprocessorError(
        f"{where}: chat_template is a {type(value).__name__}; give a text, or names and their texts"
    )
