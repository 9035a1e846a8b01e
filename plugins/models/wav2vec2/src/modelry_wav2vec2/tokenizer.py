"""Characters to ids, and one id a frame to text. Published as vocab.json: token to id, or such for each language."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import tokenizers
from tokenizers import AddedToken, Regex, models, normalizers, pre_tokenizers

from modelry.atomic import write_text
from modelry.errors import PreprocessorError
from modelry.outputs import ModelOutput
from modelry.preprocessing.preprocessor import PathLike
from modelry.preprocessing.tensors import as_lists
from modelry.preprocessing.tokenizer import Tokenizer
from modelry.preprocessing.tokenizer_files import ADDED_TOKENS_FILE, TOKENIZER_FILE, TokenizerFiles, read_settings
from modelry.preprocessing.tokenizer_saving import saved_files
from modelry_wav2vec2.collapsing import char_offsets, characters, stretches, word_offsets

VOCABULARY_FILE = "vocab.json"
DEFAULTS = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "pad_token": "<pad>",
    "word_delimiter_token": "|",
}


@dataclass
class Wav2Vec2CTCTokenizerOutput(ModelOutput):
    """Text, and where it was said, in frames. Lists of them for a batch."""

    text: Any = None
    char_offsets: Any = None
    word_offsets: Any = None


class Wav2Vec2CTCTokenizer(Tokenizer):
    """A tokenizer of characters; its pad_token is the blank of CTC."""

    vocabulary: Mapping[str, Any]
    """vocab.json as it was read."""

    @classmethod
    def _from_files(cls, files: TokenizerFiles, overrides: Mapping[str, Any]) -> Self:
        if VOCABULARY_FILE not in files:
            raise PreprocessorError(f"{files.where} has no {VOCABULARY_FILE}, from which a CTC tokenizer is made")
        settings = {"tokenizer_class": cls.__name__, **DEFAULTS, **read_settings(files, overrides)}
        vocabulary = files.json(VOCABULARY_FILE)
        where = f"{files.where}/{VOCABULARY_FILE}"
        backend = _backend(_of_language(vocabulary, settings.get("target_lang"), where), settings)
        settings.pop("name_or_path", None)
        made = cls(backend, name_or_path=files.where, **settings)
        made.vocabulary = vocabulary
        return made

    @property
    def do_lower_case(self) -> bool:
        """Whether decoded text is in small letters though the vocabulary is in capitals."""
        return bool(self.init_kwargs.get("do_lower_case", False))

    @property
    def word_delimiter_token(self) -> str | None:
        """What stands between words."""
        token = self.get_special_token("word_delimiter_token")
        return None if token is None else str(token)

    @property
    def word_delimiter_token_id(self) -> int | None:
        """Its id."""
        token = self.word_delimiter_token
        return None if token is None else self._backend.token_to_id(token)

    def decode(
        self,
        token_ids: Any,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        *,
        group_tokens: bool = True,
        spaces_between_special_tokens: bool = False,
        output_char_offsets: bool = False,
        output_word_offsets: bool = False,
    ) -> Any:
        """Turn one id a frame into text.

        Args:
            token_ids: (frames,), or (batch, frames) for a list of answers.
            skip_special_tokens: leave special tokens out before repetitions are joined. The blank is one of them, so
                that doubled letters are lost: not for a model's answers.
            group_tokens: repetitions without a blank between them are one token; not for labels.
            spaces_between_special_tokens: a space between all tokens.
            output_char_offsets, output_word_offsets: return a record with `char_offsets` or `word_offsets` beside
                `text`, in frames. Seconds: times model.config.inputs_to_logits_ratio over the sampling rate.

        Raises:
            PreprocessorError: the ids are no whole numbers.
        """
        ids = as_lists(token_ids)
        options: dict[str, Any] = {
            "group_tokens": group_tokens,
            "spaces_between_special_tokens": spaces_between_special_tokens,
            "output_char_offsets": output_char_offsets,
            "output_word_offsets": output_word_offsets,
        }
        if isinstance(ids, list | tuple) and ids and isinstance(ids[0], list | tuple):
            return [self.decode(row, skip_special_tokens, clean_up_tokenization_spaces, **options) for row in ids]
        row = [ids] if isinstance(ids, int) else list(ids)
        if not all(isinstance(one, int) and one >= 0 for one in row):
            raise PreprocessorError(f"cannot decode {row!r:.60}: a token id is a whole number of at least 0")
        unknown = str(self.unk_token)
        tokens = [self._backend.id_to_token(one) or unknown for one in row]
        if skip_special_tokens:
            dropped = {*self.all_special_tokens} - {self.word_delimiter_token}
            tokens = [token for token in tokens if token not in dropped]
        space = str(self.init_kwargs.get("replace_word_delimiter_char", " "))
        said = characters(
            stretches(tokens, group=group_tokens),
            blank=self.pad_token,
            delimiter=self.word_delimiter_token,
            space=space,
        )
        text = (" " if spaces_between_special_tokens else "").join(one.token for one in said).strip()
        text = text.lower() if self.do_lower_case else text
        if not (output_char_offsets or output_word_offsets):
            return text
        return Wav2Vec2CTCTokenizerOutput(
            text,
            char_offsets(said) if output_char_offsets else None,
            word_offsets(said, space=space) if output_word_offsets else None,
        )

    def batch_decode(  # type: ignore[override]  # CTC has options of its own
        self, sequences: Any, skip_special_tokens: bool = False, **options: Any
    ) -> Any:
        """One text a row; with offsets, one record of lists."""
        rows = [self.decode(row, skip_special_tokens, **options) for row in as_lists(sequences)]
        if not rows or isinstance(rows[0], str):
            return rows
        return Wav2Vec2CTCTokenizerOutput(**{key: [row[key] for row in rows] for key in rows[0]})

    def save_pretrained(self, save_directory: PathLike) -> tuple[str, ...]:
        """Write vocab.json, tokenizer_config.json, special_tokens_map.json and, where there are any, added_tokens.json.

        Returns:
            The paths written.
        """
        files = saved_files(self)
        del files[TOKENIZER_FILE]
        own = _of_language(self.vocabulary, self.init_kwargs.get("target_lang"), VOCABULARY_FILE)
        added = {token: number for token, number in self._backend.get_vocab().items() if token not in own}
        for name, values in ((VOCABULARY_FILE, self.vocabulary), (ADDED_TOKENS_FILE, added)):
            if values:
                files[name] = json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        return tuple(str(write_text(Path(save_directory) / name, text)) for name, text in files.items())


def _of_language(vocabulary: Mapping[str, Any], language: Any, where: str) -> dict[str, int]:
    """The vocabulary of one language, where the file has several."""
    nested = {name for name, inner in vocabulary.items() if isinstance(inner, Mapping)}
    if nested and language not in nested:
        raise PreprocessorError(
            f"{where} has vocabularies for {len(nested)} languages and target_lang is {language!r}: give "
            f"target_lang= one of {', '.join(sorted(nested)[:8])}{' …' if len(nested) > 8 else ''}"
        )
    chosen = vocabulary[language] if nested else vocabulary
    wrong = next((item for item in chosen.items() if not isinstance(item[1], int) or item[1] < 0), None)
    if wrong is not None or not chosen:
        found = "no token" if wrong is None else f"the id {wrong[1]!r} for {wrong[0]!r}"
        raise PreprocessorError(f"{where} has {found}; every token has a whole number")
    return dict(chosen)


def _backend(vocabulary: dict[str, int], settings: Mapping[str, Any]) -> tokenizers.Tokenizer:
    delimiter = _text(settings["word_delimiter_token"])
    backend = tokenizers.Tokenizer(models.WordLevel(vocabulary, unk_token=_text(settings["unk_token"])))
    letters = [one for one in vocabulary if len(one) == len(one.lower()) == 1 and one != one.lower()]
    capitals = [normalizers.Replace(one.lower(), one) for one in letters] if settings.get("do_lower_case") else []
    backend.normalizer = normalizers.Sequence([normalizers.Replace(" ", delimiter), *capitals])
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    long = [token for token in vocabulary if len(token) > 1]
    backend.add_tokens([AddedToken(token, lstrip=True, rstrip=True, normalized=False) for token in long])
    return backend


def _text(token: Any) -> str:
    return str(token["content"]) if isinstance(token, Mapping) else str(token)
