"""The tokens a tokenizer knows and their ids. Nothing here reads text or files."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, overload

import tokenizers
from tokenizers import AddedToken

from modelry.errors import PreprocessorError
from modelry.preprocessing.special_tokens import NAMED_TOKENS, SpecialToken, SpecialTokenId, read_token

EXTRA_NAMES = ("extra_special_tokens", "additional_special_tokens")
"""The new and the old name of the list of unnamed special tokens."""


class Vocabulary:
    """Tokens, added tokens and special tokens over a tokenizer of the tokenizers library.

    The backend is mutable (padding and truncation are settings of it), so whoever changes it holds `_lock`.
    """

    bos_token, bos_token_id = SpecialToken(), SpecialTokenId()
    eos_token, eos_token_id = SpecialToken(), SpecialTokenId()
    unk_token, unk_token_id = SpecialToken(), SpecialTokenId()
    sep_token, sep_token_id = SpecialToken(), SpecialTokenId()
    pad_token, pad_token_id = SpecialToken(), SpecialTokenId()
    cls_token, cls_token_id = SpecialToken(), SpecialTokenId()
    mask_token, mask_token_id = SpecialToken(), SpecialTokenId()

    def __init__(
        self,
        backend: tokenizers.Tokenizer,
        *,
        special: Mapping[str, AddedToken] | None = None,
        extra: Sequence[AddedToken] = (),
        added: Sequence[AddedToken] = (),
    ) -> None:
        """
        Args:
            backend: becomes this object's own.
            special: name ("eos_token") -> token.
            extra: special tokens without a name.
            added: further tokens in the order of their ids, which come before those of new special tokens.
        """
        self._backend = backend
        self._lock = threading.RLock()
        self._special = {name: token.content for name, token in (special or {}).items()}
        self._extra = [token.content for token in extra]
        known = {repr(token) for token in self.added_tokens_decoder.values()}
        self.add_tokens([token for token in added if repr(token) not in known])
        self._register([*(special or {}).values(), *extra])

    @property
    def backend_tokenizer(self) -> tokenizers.Tokenizer:
        """The tokenizer of the tokenizers library that does the work."""
        return self._backend

    def __len__(self) -> int:
        """All tokens, added ones included."""
        return self._backend.get_vocab_size(with_added_tokens=True)

    def __bool__(self) -> bool:
        return True

    is_fast = True
    """The ecosystem's name for tokenizers that know where in the text their tokens came from."""

    @property
    def vocab_size(self) -> int:
        """Tokens of the model, without the added ones."""
        return self._backend.get_vocab_size(with_added_tokens=False)

    def get_vocab(self) -> dict[str, int]:
        """Token -> id, added tokens included."""
        return self._backend.get_vocab(with_added_tokens=True)

    @property
    def vocab(self) -> dict[str, int]:
        """The same as get_vocab()."""
        return self.get_vocab()

    @property
    def added_tokens_decoder(self) -> dict[int, AddedToken]:
        """Id -> added token with its flags, by id."""
        return dict(sorted(self._backend.get_added_tokens_decoder().items()))

    @property
    def added_tokens_encoder(self) -> dict[str, int]:
        """Added token -> id, by id."""
        return {token.content: token_id for token_id, token in self.added_tokens_decoder.items()}

    def get_added_vocab(self) -> dict[str, int]:
        """The same as added_tokens_encoder."""
        return self.added_tokens_encoder

    @overload
    def convert_tokens_to_ids(self, tokens: str) -> int | None: ...
    @overload
    def convert_tokens_to_ids(self, tokens: list[str] | tuple[str, ...]) -> list[int | None]: ...
    def convert_tokens_to_ids(self, tokens: str | list[str] | tuple[str, ...]) -> int | list[int | None] | None:
        """The id of a token or of each token; the unknown token's (None without one) for tokens that do not exist."""
        if isinstance(tokens, str):
            found = self._backend.token_to_id(tokens)
            if found is not None or self._special.get("unk_token") is None:
                return found
            return self._backend.token_to_id(self._special["unk_token"])
        return [self.convert_tokens_to_ids(token) for token in tokens]

    @overload
    def convert_ids_to_tokens(self, ids: int, skip_special_tokens: bool = False) -> str | None: ...
    @overload
    def convert_ids_to_tokens(self, ids: Iterable[int], skip_special_tokens: bool = False) -> list[str | None]: ...
    def convert_ids_to_tokens(
        self, ids: int | Iterable[int], skip_special_tokens: bool = False
    ) -> str | list[str | None] | None:
        """The token of an id or of each id; None for ids that do not exist."""
        if isinstance(ids, int):
            return self._backend.id_to_token(ids) if ids >= 0 else None
        skipped = set(self.all_special_ids) if skip_special_tokens else set()
        return [self.convert_ids_to_tokens(int(one)) for one in ids if int(one) not in skipped]

    def get_special_token(self, name: str) -> str | None:
        """A special token by its name ("eos_token"), None when the tokenizer has none."""
        return self._special.get(name)

    def set_special_token(self, name: str, token: str | AddedToken | None) -> None:
        """Say which token has a special role. It must be in the vocabulary: see add_special_tokens for new ones.

        Texts are cut and decoded as before: a word that pads rows ("!", say) is still a word where it stands in a text.

        Raises:
            PreprocessorError: not a token, or not in the vocabulary.
        """
        if token is None:
            self._special.pop(name, None)
            return
        given = read_token(token, name=name)
        if self._backend.token_to_id(given.content) is None:
            raise PreprocessorError(
                f"{name} {given.content!r} is not in the vocabulary; "
                f"add it with add_special_tokens({{{name!r}: {given.content!r}}})"
            )
        self._special[name] = given.content

    def __getattr__(self, name: str) -> Any:
        """Special tokens that only some models have ("image_token"), and their ids."""
        special = self.__dict__.get("_special", {})
        if name in special:
            return special[name]
        if name.endswith("_id") and name.removesuffix("_id") in special:
            return self.convert_tokens_to_ids(special[name.removesuffix("_id")])
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    @property
    def special_tokens_map(self) -> dict[str, str]:
        """The named special tokens: "eos_token" -> "</s>" and so on."""
        order = [*NAMED_TOKENS, *(name for name in self._special if name not in NAMED_TOKENS)]
        return {name: self._special[name] for name in order if name in self._special}

    @property
    def additional_special_tokens(self) -> list[str]:
        """The special tokens without a name."""
        return list(self._extra)

    @property
    def additional_special_tokens_ids(self) -> list[int | None]:
        """The ids of the special tokens without a name."""
        return self.convert_tokens_to_ids(self._extra)

    extra_special_tokens = additional_special_tokens
    extra_special_tokens_ids = additional_special_tokens_ids

    @property
    def all_special_tokens(self) -> list[str]:
        """Named and unnamed special tokens, each once."""
        return list(dict.fromkeys([*self.special_tokens_map.values(), *self._extra]))

    @property
    def all_special_ids(self) -> list[int]:
        """The ids of all_special_tokens."""
        return [one for one in self.convert_tokens_to_ids(self.all_special_tokens) if one is not None]

    def add_tokens(
        self, new_tokens: str | AddedToken | Sequence[str | AddedToken], special_tokens: bool = False
    ) -> int:
        """Add tokens that are found in the text before anything else; known ones are skipped.

        Args:
            new_tokens: strings, or AddedToken for tokens with flags.
            special_tokens: mark them as special, so that decoding can skip them.

        Returns:
            How many were new. Embeddings must grow by as many: model.resize_token_embeddings(len(tokenizer)).
        """
        given = [new_tokens] if isinstance(new_tokens, str | AddedToken) else list(new_tokens)
        for token in given:
            if not isinstance(token, str | AddedToken):
                raise PreprocessorError(f"cannot add {token!r:.80} of type {type(token).__name__}: a token is a string")
        with self._lock:
            before = len(self)
            if special_tokens:
                self._backend.add_special_tokens(given)
            else:
                self._backend.add_tokens(given)
            return len(self) - before

    def add_special_tokens(
        self,
        special_tokens_dict: Mapping[str, str | AddedToken | Sequence[str | AddedToken]],
        replace_extra_special_tokens: bool = True,
    ) -> int:
        """Give special tokens by name, adding the ones that are not in the vocabulary.

        Args:
            special_tokens_dict: "pad_token" -> token and so on; "additional_special_tokens" -> list of tokens.
            replace_extra_special_tokens: False keeps the unnamed special tokens there are.

        Returns:
            How many were new to the vocabulary.

        Raises:
            PreprocessorError: a name that is not "..._token", or a value that is no token.
        """
        before = len(self)
        for name, value in special_tokens_dict.items():
            if name in EXTRA_NAMES:
                if isinstance(value, str | AddedToken):
                    raise PreprocessorError(f"{name} is {value!r:.80}; give a list of tokens")
                tokens = [read_token(token, name=name) for token in value]
                kept = [] if replace_extra_special_tokens else self._extra
                self._extra = list(dict.fromkeys([*kept, *(token.content for token in tokens)]))
                self._register(tokens)
            elif name.endswith("_token"):
                token = read_token(value, name=name)
                self._register([token])
                self._special[name] = token.content
            else:
                raise PreprocessorError(f"{name!r} is not the name of a special token; use {', '.join(NAMED_TOKENS)}")
        return len(self) - before

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        """How many special tokens encoding adds to one text, or to a pair."""
        return self._backend.num_special_tokens_to_add(pair)

    def get_special_tokens_mask(
        self,
        token_ids_0: Sequence[int],
        token_ids_1: Sequence[int] | None = None,
        already_has_special_tokens: bool = True,
    ) -> list[int]:
        """1 for each special token of an encoded row, 0 for the others.

        Raises:
            PreprocessorError: asked about rows without their special tokens; use return_special_tokens_mask for those.
        """
        if token_ids_1 is not None or not already_has_special_tokens:
            raise PreprocessorError(
                "get_special_tokens_mask reads one complete row; for texts, call the tokenizer with "
                "return_special_tokens_mask=True"
            )
        special = set(self.all_special_ids)
        return [int(token in special) for token in token_ids_0]

    def _register(self, tokens: Iterable[AddedToken]) -> None:
        """Have the backend find these tokens in the text, as special ones."""
        known = self._backend.get_added_tokens_decoder().values()
        contents = {token.content for token in known}
        new = [token for token in tokens if token.content not in contents]
        if new:
            with self._lock:
                self._backend.add_special_tokens(new)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.RLock()
