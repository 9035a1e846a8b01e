"""Text to token ids and back, on the tokenizers library. Torch-free: it returns lists unless tensors are asked for."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import tokenizers
from tokenizers import Encoding, models

from modelry.atomic import write_text
from modelry.errors import PreprocessorError
from modelry.hub import Source
from modelry.preprocessing.backend import build_backend, set_bos_and_eos
from modelry.preprocessing.backend_call import encode_rows
from modelry.preprocessing.encoding import BatchEncoding
from modelry.preprocessing.padding import Lengths, PaddingStrategy, pad_rows, resolve_lengths
from modelry.preprocessing.preprocessor import PathLike, Preprocessor
from modelry.preprocessing.tensors import as_lists, check_tensor_type
from modelry.preprocessing.text_inputs import read_text_inputs
from modelry.preprocessing.tokenizer_files import TokenizerFiles, collect_files, read_settings
from modelry.preprocessing.tokenizer_saving import saved_files
from modelry.preprocessing.tokenizer_settings import read_tokenizer_settings
from modelry.preprocessing.vocabulary import Vocabulary

_log = logging.getLogger(__name__)

_CLEAN_UP = (
    *((" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'")),
    *((" n't", "n't"), (" 'm", "'m"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re")),
)
"""English spacing that word pieces lose; published as clean_up_tokenization_spaces."""


class Tokenizer(Vocabulary, Preprocessor):
    """A tokenizer with the ecosystem's call. Made by from_pretrained, by from_files, or of a tokenizers.Tokenizer."""

    role: ClassVar[str] = "tokenizer"

    def __init__(self, tokenizer_object: tokenizers.Tokenizer, *, name_or_path: str = "", **settings: Any) -> None:
        """
        Args:
            tokenizer_object: the tokenizer of the tokenizers library; it becomes this object's own.
            name_or_path: where it came from, for messages.
            settings: the keys of tokenizer_config.json (special tokens, model_max_length, chat_template ...).

        Raises:
            PreprocessorError: a setting of the wrong type.
        """
        where = name_or_path or type(self).__name__
        read = read_tokenizer_settings(settings, where)
        super().__init__(tokenizer_object, special=read.special, extra=read.extra, added=read.added)
        self.name_or_path = name_or_path
        self._warned_of_length = False
        self.init_kwargs = dict(settings)
        self.model_max_length = read.model_max_length
        self.padding_side = read.padding_side
        self.truncation_side = read.truncation_side
        self.model_input_names = read.model_input_names
        self.pad_token_type_id = read.pad_token_type_id
        self.clean_up_tokenization_spaces = read.clean_up_tokenization_spaces
        self.split_special_tokens = read.split_special_tokens
        self.chat_template = read.chat_template
        self._add_bos_token = bool(read.add_bos_token)
        self._add_eos_token = bool(read.add_eos_token)
        if read.add_bos_token is not None or read.add_eos_token is not None or self._backend.post_processor is None:
            self._update_post_processor()

    @classmethod
    def from_source(cls, source: Source, settings: Mapping[str, Any]) -> Self:
        """Load from a resolved place; `settings` replace keys of tokenizer_config.json."""
        return cls._from_files(collect_files(source), settings)

    @classmethod
    def from_files(cls, files: Mapping[str, str | bytes], *, where: str = "tokenizer", **settings: Any) -> Self:
        """Make a tokenizer of files that are in memory, as a checkpoint that carries its tokenizer gives them.

        Args:
            files: file name ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", ...) -> content.
            where: what to call their place in messages.
            settings: replace keys of tokenizer_config.json.

        Raises:
            PreprocessorError: files are missing or invalid.
        """
        return cls._from_files(TokenizerFiles(dict(files), where), settings)

    @classmethod
    def _from_files(cls, files: TokenizerFiles, overrides: Mapping[str, Any]) -> Self:
        settings = read_settings(files, overrides)
        backend = build_backend(files, settings)
        settings.pop("name_or_path", None)
        return cls(backend, name_or_path=files.where, **settings)

    def __call__(
        self,
        text: Any = None,
        text_pair: Any = None,
        text_target: Any = None,
        text_pair_target: Any = None,
        *,
        add_special_tokens: bool = True,
        padding: bool | str = False,
        truncation: bool | str | None = None,
        max_length: int | None = None,
        stride: int = 0,
        is_split_into_words: bool = False,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        truncation_side: str | None = None,
        return_tensors: str | None = None,
        return_token_type_ids: bool | None = None,
        return_attention_mask: bool | None = None,
        return_overflowing_tokens: bool = False,
        return_special_tokens_mask: bool = False,
        return_offsets_mapping: bool = False,
        return_length: bool = False,
        split_special_tokens: bool | None = None,
    ) -> BatchEncoding:
        """Turn texts into model inputs.

        Args:
            text: a string or a list of strings; with is_split_into_words, a list of words or a list of such lists. In a
                batch, an item may itself be a pair (text, second text).
            text_pair: the second text of each pair, in the same shape.
            text_target: what the model should answer; becomes `labels` (or the inputs, when there is no `text`).
            text_pair_target: the second text of each target.
            add_special_tokens: put the model's special tokens around each text.
            padding: True or "longest" (of the batch), "max_length", False or "do_not_pad".
            truncation: True or "longest_first", "only_first", "only_second", False.
            max_length: tokens a row, special tokens included; model_max_length when None.
            stride: tokens shared by neighbouring pieces, with return_overflowing_tokens.
            is_split_into_words: the text has been split into words already.
            pad_to_multiple_of: round the padded length up.
            padding_side, truncation_side: "left" or "right"; the tokenizer's own when None.
            return_tensors: "pt", "np", or None for lists.
            return_token_type_ids, return_attention_mask: None follows model_input_names.
            return_overflowing_tokens: further rows for what truncation cut off, and overflow_to_sample_mapping (rows,).
            return_special_tokens_mask: special_tokens_mask, 1 for special tokens.
            return_offsets_mapping: offset_mapping, (start, end) characters for each token.
            return_length: length of each row.
            split_special_tokens: cut special tokens that stand in the text like any other text.

        Returns:
            Lists (tokens,) for one text and (batch, tokens) for a batch; tensors are always (batch, tokens).

        Raises:
            PreprocessorError: inputs of a wrong type (says which), or lengths and strategies that cannot be.
        """
        check_tensor_type(return_tensors)
        if text is None and text_target is None:
            raise PreprocessorError("nothing to tokenize: pass text or text_target")
        lengths = self._lengths(
            padding=padding,
            truncation=truncation,
            max_length=max_length,
            stride=stride,
            pad_to_multiple_of=pad_to_multiple_of,
            padding_side=padding_side,
            truncation_side=truncation_side,
        )
        names = self.model_input_names
        returned: dict[str, Callable[[Encoding], Any]] = {"input_ids": lambda row: row.ids}
        if return_token_type_ids or (return_token_type_ids is None and "token_type_ids" in names):
            returned["token_type_ids"] = lambda row: row.type_ids
        if return_attention_mask or (return_attention_mask is None and "attention_mask" in names):
            returned["attention_mask"] = lambda row: row.attention_mask
        if return_special_tokens_mask:
            returned["special_tokens_mask"] = lambda row: row.special_tokens_mask
        if return_offsets_mapping:
            returned["offset_mapping"] = lambda row: row.offsets
        if return_length:
            returned["length"] = len

        def encode(first: Any, second: Any) -> BatchEncoding:
            rows, batched = read_text_inputs(first, second, is_split_into_words=is_split_into_words)
            found = self._run(rows, lengths, add_special_tokens, is_split_into_words, split_special_tokens)
            samples = [[row, *row.overflowing] if return_overflowing_tokens else [row] for row in found]
            flat = [row for sample in samples for row in sample]
            data: dict[str, Any] = {name: [read(row) for row in flat] for name, read in returned.items()}
            if return_overflowing_tokens:
                data["overflow_to_sample_mapping"] = [number for number, sample in enumerate(samples) for _ in sample]
            elif not batched and return_tensors is None:
                data = {name: value if name == "length" else value[0] for name, value in data.items()}
            return BatchEncoding(data, flat, tensor_type=return_tensors)

        if text is None:
            return encode(text_target, text_pair_target)
        encoding = encode(text, text_pair)
        if text_target is not None:
            encoding["labels"] = encode(text_target, text_pair_target)["input_ids"]
        return encoding

    def encode(self, text: Any, text_pair: Any = None, **options: Any) -> Any:
        """The ids alone: tokenizer(text, ...)["input_ids"]."""
        return self(text, text_pair, **options)["input_ids"]

    def tokenize(
        self, text: str, pair: str | None = None, add_special_tokens: bool = False, **options: Any
    ) -> list[str]:
        """The tokens of one text as strings."""
        return self(text, pair, add_special_tokens=add_special_tokens, **options).tokens()

    def decode(
        self,
        token_ids: Any,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
    ) -> Any:
        """Turn ids back into text.

        Args:
            token_ids: one id, (tokens,) or (batch, tokens), as a list, array or tensor.
            skip_special_tokens: leave special tokens out.
            clean_up_tokenization_spaces: remove spaces before English punctuation; never done for BPE, whose spaces are
                exact. None follows the tokenizer's setting.

        Returns:
            A string, or a list of strings for a batch.

        Raises:
            PreprocessorError: the ids are no whole numbers, or negative ones.
        """
        ids = as_lists(token_ids["input_ids"] if isinstance(token_ids, Mapping) else token_ids)
        if not isinstance(ids, int | Iterable):
            raise PreprocessorError(f"cannot decode {ids!r:.40} of type {type(ids).__name__}: give ids")
        if isinstance(ids, list | tuple) and ids and isinstance(ids[0], list | tuple):
            return [self.decode(row, skip_special_tokens, clean_up_tokenization_spaces) for row in ids]
        row = [ids] if isinstance(ids, int) else list(ids)
        wrong = next((one for one in row if not isinstance(one, int) or not 0 <= one < 1 << 32), None)
        if wrong is not None:
            raise PreprocessorError(f"cannot decode {wrong!r}: a token id is a whole number from 0 to {len(self) - 1}")
        text = self._backend.decode(row, skip_special_tokens=skip_special_tokens)
        clean = (
            self.clean_up_tokenization_spaces if clean_up_tokenization_spaces is None else clean_up_tokenization_spaces
        )
        if clean and not isinstance(self._backend.model, models.BPE):
            for spaced, tight in _CLEAN_UP:
                text = text.replace(spaced, tight)
        return text

    def batch_decode(
        self, sequences: Any, skip_special_tokens: bool = False, clean_up_tokenization_spaces: bool | None = None
    ) -> list[str]:
        """Turn (batch, tokens) ids back into one text a row."""
        return [self.decode(row, skip_special_tokens, clean_up_tokenization_spaces) for row in as_lists(sequences)]

    def convert_tokens_to_string(self, tokens: Sequence[str]) -> str:
        """Join tokens to the text they stand for."""
        decoder = self._backend.decoder
        return " ".join(tokens) if decoder is None else decoder.decode(list(tokens))

    def pad(
        self,
        encoded_inputs: Any,
        padding: bool | str = True,
        max_length: int | None = None,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_attention_mask: bool | None = None,
        return_tensors: str | None = None,
    ) -> BatchEncoding:
        """Pad rows that have been encoded before: one, a batch or a list of them. See modelry.preprocessing.padding."""
        lengths = self._lengths(
            padding=padding,
            truncation=False,
            max_length=max_length,
            pad_to_multiple_of=pad_to_multiple_of,
            padding_side=padding_side,
        )
        main = self.model_input_names[0]
        fill = self.filling()
        if lengths.padding is not PaddingStrategy.DO_NOT_PAD:
            fill[main] = self._require_pad_token()[1]
        masked = "attention_mask" in self.model_input_names if return_attention_mask is None else return_attention_mask
        return BatchEncoding(
            pad_rows(encoded_inputs, lengths, main=main, fill=fill, attention_mask=masked), tensor_type=return_tensors
        )

    def filling(self) -> dict[str, Any]:
        """What fills rows that `pad` makes longer, by the name of the input; the main input is filled with padding."""
        return {"attention_mask": 0, "token_type_ids": self.pad_token_type_id, "special_tokens_mask": 1}

    def apply_chat_template(self, conversation: Any, **options: Any) -> Any:
        """Write messages as the model was trained to read them. See modelry.preprocessing.chat.apply_chat_template."""
        from modelry.preprocessing.chat import apply_chat_template

        return apply_chat_template(self, conversation, **options)

    def get_chat_template(self, chat_template: str | None = None, tools: Sequence[Any] | None = None) -> str:
        """The text of a template: the one named, the one given, or the tokenizer's own (its own for tools, if any)."""
        from modelry.preprocessing.chat import choose_template

        return choose_template(self.chat_template, chat_template, has_tools=tools is not None, where=self.name_or_path)

    def save_pretrained(self, save_directory: PathLike) -> tuple[str, ...]:
        """Write tokenizer.json, tokenizer_config.json, special_tokens_map.json and the chat templates.

        Returns:
            The paths written.
        """
        folder = Path(save_directory)
        return tuple(str(write_text(folder / name, text)) for name, text in saved_files(self).items())

    @property
    def add_bos_token(self) -> bool:
        """Begin every text with bos_token. Known where it was set; setting it replaces the tokenizer's own rule."""
        return self._add_bos_token

    @add_bos_token.setter
    def add_bos_token(self, value: bool) -> None:
        self._add_bos_token = value
        self._update_post_processor()

    @property
    def add_eos_token(self) -> bool:
        """End every text with eos_token. Known where it was set; setting it replaces the tokenizer's own rule."""
        return self._add_eos_token

    @add_eos_token.setter
    def add_eos_token(self, value: bool) -> None:
        self._add_eos_token = value
        self._update_post_processor()

    def _update_post_processor(self) -> None:
        def token(wanted: bool, name: str) -> tuple[str, int] | None:
            text = self.get_special_token(name) if wanted else None
            token_id = None if text is None else self._backend.token_to_id(text)
            return None if text is None or token_id is None else (text, token_id)

        with self._lock:
            set_bos_and_eos(
                self._backend, token(self._add_bos_token, "bos_token"), token(self._add_eos_token, "eos_token")
            )

    def _lengths(self, *, padding_side: str | None, truncation_side: str | None = None, **arguments: Any) -> Lengths:
        return resolve_lengths(
            padding_side=self.padding_side if padding_side is None else padding_side,
            truncation_side=self.truncation_side if truncation_side is None else truncation_side,
            model_max_length=self.model_max_length,
            **arguments,
        )

    def _require_pad_token(self) -> tuple[str, int]:
        """
        Raises:
            PreprocessorError: there is none.
        """
        token, token_id = self.pad_token, self.pad_token_id
        if token is None or token_id is None:
            raise PreprocessorError(
                f"{self.name_or_path or 'this tokenizer'} has no pad_token, so rows cannot be padded. Set one: "
                "tokenizer.pad_token = tokenizer.eos_token, or tokenizer.add_special_tokens({'pad_token': '[PAD]'})"
            )
        return token, token_id

    def _run(
        self, rows: list[Any], lengths: Lengths, special: bool, words: bool, split_special: bool | None
    ) -> list[Encoding]:
        """Have the backend encode `rows`; its settings belong to this call while the lock is held."""
        pad = None
        if lengths.padding is not PaddingStrategy.DO_NOT_PAD:
            pad = (*self._require_pad_token(), self.pad_token_type_id)
        with self._lock:
            found = encode_rows(
                self._backend,
                rows,
                lengths,
                pad=pad,
                add_special_tokens=special,
                words=words,
                split_special_tokens=self.split_special_tokens if split_special is None else split_special,
            )
        longest = max(map(len, found), default=0)
        if lengths.max_length is None and longest > self.model_max_length and not self._warned_of_length:
            self._warned_of_length = True
            _log.warning("%d tokens are more than the model's %d", longest, self.model_max_length)
        return found
