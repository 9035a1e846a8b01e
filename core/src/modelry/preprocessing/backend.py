"""From tokenizer files to a tokenizer of the tokenizers library, and what tokenizer_config.json changes in it."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import tokenizers
from tokenizers import normalizers, pre_tokenizers, processors

from modelry.errors import PreprocessorError
from modelry.preprocessing.sentencepiece_conversion import convert_sentencepiece, special_names
from modelry.preprocessing.sentencepiece_layouts import frame, keep_words_only, renumbered
from modelry.preprocessing.sentencepiece_model import read_sentencepiece
from modelry.preprocessing.special_tokens import token_text
from modelry.preprocessing.tokenizer_classes import ClassDefaults, class_defaults
from modelry.preprocessing.tokenizer_files import SENTENCEPIECE_FILES, TOKENIZER_FILE, TokenizerFiles
from modelry.preprocessing.vocabulary_files import byte_bpe, roberta, wordpiece


@contextlib.contextmanager
def backend_errors(what: str) -> Iterator[None]:
    """Turn what the tokenizers library raises, its panics included, into our error.

    Raises:
        PreprocessorError: `what`, and what the library said.
    """
    try:
        yield
    except PreprocessorError:
        raise
    except BaseException as error:  # a panic of the library descends from BaseException and cannot be imported
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise PreprocessorError(f"{what}: {error}") from error
        raise


def build_backend(files: TokenizerFiles, settings: dict[str, Any]) -> tokenizers.Tokenizer:
    """Build the tokenizer, and complete `settings` with what the files and the published class imply.

    tokenizer.json is the whole truth where there is one: the published class never replaces a part of it.

    Raises:
        PreprocessorError: the files are missing, damaged, or of a layout that needs a tokenizer.json.
    """
    published = settings.get("tokenizer_class")
    if published is not None and not isinstance(published, str):
        raise PreprocessorError(f"{files.where}: tokenizer_class is {published!r:.60}; a name is expected")
    if TOKENIZER_FILE in files:
        with backend_errors(f"{files.where}/{TOKENIZER_FILE} is not a tokenizer, or it is damaged"):
            backend = tokenizers.Tokenizer.from_str(files.text(TOKENIZER_FILE))
        _apply_settings(backend, settings)
        _take_baked(backend, settings)
        _complete(settings, class_defaults(published) or ClassDefaults(), backend)
        return backend
    layout = _layout(files)
    defaults = class_defaults(published, layout)
    if defaults is None or defaults.layout is None or (layout != defaults.layout and not _same_files(layout, defaults)):
        raise PreprocessorError(
            f"{files.where} has the files of a {layout} tokenizer and the tokenizer_class {published!r}, whose way to "
            "number tokens is not known here; add the model's tokenizer.json"
        )
    with backend_errors(f"{files.where}: the vocabulary cannot be used"):
        return _from_vocabulary(files, settings, defaults)


def _from_vocabulary(files: TokenizerFiles, settings: dict[str, Any], defaults: ClassDefaults) -> tokenizers.Tokenizer:
    if defaults.layout == "sentencepiece":
        return _from_sentencepiece(files, settings, defaults)
    _complete(settings, defaults)
    build = {"wordpiece": wordpiece, "byte-bpe": byte_bpe, "roberta": roberta}[defaults.layout or ""]
    return build(files, settings)


def _from_sentencepiece(
    files: TokenizerFiles, settings: dict[str, Any], defaults: ClassDefaults
) -> tokenizers.Tokenizer:
    name = next(one for one in SENTENCEPIECE_FILES if one in files)
    where = f"{files.where}/{name}"
    model = read_sentencepiece(files.data(name), where)
    if defaults.renumbered:
        model = renumbered(model, defaults.languages, where=where)
    pieces = {piece.text for piece in model.pieces}
    usual = {role: token for role, token in defaults.special.items() if token_text(token) in pieces}
    for role, token in {**special_names(model), **usual}.items():
        settings.setdefault(role, token)
    extra = int(settings.get("extra_ids", defaults.extra_ids))
    _complete(settings, defaults)
    backend = convert_sentencepiece(model, where=where, settings=settings, flags=usual.values(), extra_ids=extra)
    if defaults.words_only:
        keep_words_only(backend, lowercase=bool(settings.get("do_lower_case", True)))
    if defaults.framed:
        frame(backend, token_text(settings["cls_token"]), token_text(settings["sep_token"]))
    return backend


def _layout(files: TokenizerFiles) -> str:
    if "vocab.txt" in files:
        return "wordpiece"
    if any(name in files for name in SENTENCEPIECE_FILES):
        return "sentencepiece"
    if "vocab.json" in files or "merges.txt" in files:
        return "byte-bpe"
    raise PreprocessorError(f"{files.where} holds no vocabulary, only {', '.join(files.content) or 'nothing'}")


def _same_files(layout: str, defaults: ClassDefaults) -> bool:
    """RoBERTa's files look like GPT-2's."""
    return layout == "byte-bpe" and defaults.layout == "roberta"


def _complete(settings: dict[str, Any], defaults: ClassDefaults, backend: tokenizers.Tokenizer | None = None) -> None:
    """Fill in what the published class implies, where the files say nothing.

    Args:
        backend: a finished tokenizer; its vocabulary and its post-processor are left as they are.
    """
    settings.setdefault("model_input_names", list(defaults.input_names))
    settings.setdefault("padding_side", defaults.padding_side)
    for name, token in defaults.special.items():
        if backend is None or backend.token_to_id(token_text(token)) is not None:
            settings.setdefault(name, token)
    if backend is not None:
        return
    for name, value in defaults.implied.items():
        settings.setdefault(name, value)
    if defaults.add_bos:
        settings.setdefault("add_bos_token", True)
    if defaults.add_eos:
        settings.setdefault("add_eos_token", True)
    if defaults.prefix_space:
        settings.setdefault("add_prefix_space", True)


def _apply_settings(backend: tokenizers.Tokenizer, settings: Mapping[str, Any]) -> None:
    """Keys of tokenizer_config.json that the ecosystem lets change a tokenizer.json."""
    normalizer = backend.normalizer
    if isinstance(normalizer, normalizers.BertNormalizer):
        flags = {"lowercase": "do_lower_case", "strip_accents": "strip_accents"}
        flags["handle_chinese_chars"] = "tokenize_chinese_chars"
        for attribute, key in flags.items():
            if key in settings and settings[key] != getattr(normalizer, attribute):
                setattr(normalizer, attribute, settings[key])
        backend.normalizer = normalizer
    prefix = settings.get("add_prefix_space")
    step = backend.pre_tokenizer
    if isinstance(step, pre_tokenizers.ByteLevel) and prefix is not None and step.add_prefix_space != bool(prefix):
        step.add_prefix_space = bool(prefix)
        backend.pre_tokenizer = step


def _take_baked(backend: tokenizers.Tokenizer, settings: dict[str, Any]) -> None:
    """A tokenizer.json may carry padding and truncation of its last use: the sides are defaults, the rest goes."""
    padding, truncation = backend.padding, backend.truncation
    if padding is not None:
        settings.setdefault("pad_token", padding["pad_token"])
        settings.setdefault("pad_token_type_id", padding["pad_type_id"])
        settings.setdefault("padding_side", padding["direction"])
    if truncation is not None:
        settings.setdefault("truncation_side", truncation["direction"])
    backend.no_padding()
    backend.no_truncation()


def set_bos_and_eos(backend: tokenizers.Tokenizer, bos: tuple[str, int] | None, eos: tuple[str, int] | None) -> None:
    """Have every encoded text begin with `bos` and end with `eos`, (token, id) each."""
    start = {0: f"{bos[0]}:0 ", 1: f"{bos[0]}:1 "} if bos else {0: "", 1: ""}
    end = {0: f" {eos[0]}:0", 1: f" {eos[0]}:1"} if eos else {0: "", 1: ""}
    single = f"{start[0]}$A:0{end[0]}"
    backend.post_processor = processors.TemplateProcessing(
        single=single,
        pair=f"{single} {start[1]}$B:1{end[1]}",
        special_tokens=list(dict.fromkeys(token for token in (bos, eos) if token)),
    )
