"""Special tokens as attributes: `tokenizer.eos_token`, `tokenizer.eos_token_id`, and setting them."""

from collections.abc import Mapping
from typing import Any, Protocol, overload

from tokenizers import AddedToken

from modelry.errors import PreprocessorError

NAMED_TOKENS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
"""The special tokens that every tokenizer can have. A model may add its own, as in "image_token"."""


def read_token(value: object, *, name: str) -> AddedToken:
    """Read a token as published files write it: a string, or an object of content and flags.

    Raises:
        PreprocessorError: it is neither; the message names the token.
    """
    if isinstance(value, AddedToken):
        return value
    if isinstance(value, str):
        return AddedToken(value, special=True, normalized=False)
    if isinstance(value, Mapping) and isinstance(value.get("content"), str):
        flags = ("single_word", "lstrip", "rstrip", "normalized", "special")
        return AddedToken(value["content"], **{flag: bool(value[flag]) for flag in flags if flag in value})
    raise PreprocessorError(f"{name} is {value!r:.80}; a token is a string, or an object with a string 'content'")


def token_text(token: object) -> str:
    """The content of a token given as a string or with flags."""
    return str(token["content"]) if isinstance(token, Mapping) else str(token)


class HasSpecialTokens(Protocol):
    """What the descriptors need of their owner."""

    def get_special_token(self, name: str) -> str | None:
        """The token of this name, as a string."""

    def set_special_token(self, name: str, token: "str | AddedToken | None") -> None:
        """Give the token of this name."""

    def convert_tokens_to_ids(self, tokens: Any) -> Any:
        """The ids of tokens."""

    def convert_ids_to_tokens(self, ids: Any) -> Any:
        """The tokens of ids."""


class SpecialToken:
    """The text of one special token; None when the tokenizer has none."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> "SpecialToken": ...
    @overload
    def __get__(self, instance: HasSpecialTokens, owner: type) -> str | None: ...
    def __get__(self, instance: HasSpecialTokens | None, owner: type) -> "str | SpecialToken | None":
        return self if instance is None else instance.get_special_token(self.name)

    def __set__(self, instance: HasSpecialTokens, token: "str | AddedToken | None") -> None:
        instance.set_special_token(self.name, token)


class SpecialTokenId:
    """The id of one special token; None when the tokenizer has none."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name.removesuffix("_id")

    @overload
    def __get__(self, instance: None, owner: type) -> "SpecialTokenId": ...
    @overload
    def __get__(self, instance: HasSpecialTokens, owner: type) -> int | None: ...
    def __get__(self, instance: HasSpecialTokens | None, owner: type) -> "int | SpecialTokenId | None":
        if instance is None:
            return self
        token = instance.get_special_token(self.name)
        found: int | None = None if token is None else instance.convert_tokens_to_ids(token)
        return found

    def __set__(self, instance: HasSpecialTokens, token_id: int | None) -> None:
        token = None if token_id is None else instance.convert_ids_to_tokens(token_id)
        if token_id is not None and token is None:
            raise PreprocessorError(f"{self.name}_id {token_id} is the id of no token")
        instance.set_special_token(self.name, token)
