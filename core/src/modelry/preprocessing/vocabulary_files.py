"""Vocabularies from before tokenizer.json: BERT's vocab.txt, and the vocab.json and merges.txt of GPT-2 and RoBERTa."""

from collections.abc import Mapping
from typing import Any

import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

from modelry.errors import PreprocessorError
from modelry.preprocessing.special_tokens import token_text
from modelry.preprocessing.tokenizer_files import TokenizerFiles


def wordpiece(files: TokenizerFiles, settings: Mapping[str, Any]) -> tokenizers.Tokenizer:
    """BERT's tokenizer from vocab.txt: one token a line, the line number is the id.

    Source: Devlin et al. 2018, https://arxiv.org/abs/1810.04805, and the files published with it.

    Raises:
        PreprocessorError: the vocabulary lacks the special tokens that BERT puts around a text.
    """
    where = f"{files.where}/vocab.txt"
    lines = files.text("vocab.txt").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    vocab = {line.rstrip("\r"): number for number, line in enumerate(lines)}
    unk, cls, sep = (token_text(settings[name]) for name in ("unk_token", "cls_token", "sep_token"))
    absent = [token for token in (unk, cls, sep) if token not in vocab]
    if absent:
        raise PreprocessorError(
            f"{where} lacks {', '.join(absent)}: it is not the vocabulary of a BERT, or it is damaged"
        )
    backend = tokenizers.Tokenizer(models.WordPiece(vocab, unk_token=unk))
    backend.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=bool(settings.get("tokenize_chinese_chars", True)),
        strip_accents=settings.get("strip_accents"),
        lowercase=bool(settings.get("do_lower_case", True)),
    )
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece(prefix="##")
    backend.post_processor = processors.TemplateProcessing(
        single=f"{cls}:0 $A:0 {sep}:0",
        pair=f"{cls}:0 $A:0 {sep}:0 $B:1 {sep}:1",
        special_tokens=[(cls, vocab[cls]), (sep, vocab[sep])],
    )
    return backend


def byte_bpe(files: TokenizerFiles, settings: Mapping[str, Any]) -> tokenizers.Tokenizer:
    """GPT-2's byte-level BPE from vocab.json (token -> id) and merges.txt (one pair a line, the most frequent first).

    Source: Radford et al. 2019, https://github.com/openai/gpt-2 (src/encoder.py).

    Raises:
        PreprocessorError: one of the files is missing or invalid.
    """
    vocab = _vocab_json(files)
    backend = tokenizers.Tokenizer(models.BPE(vocab, _merges(files, vocab), fuse_unk=False))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=bool(settings.get("add_prefix_space", False)))
    backend.decoder = decoders.ByteLevel()
    return backend


def roberta(files: TokenizerFiles, settings: Mapping[str, Any]) -> tokenizers.Tokenizer:
    """RoBERTa's tokenizer: GPT-2's with <s> and </s> around each text. Liu et al. 2019, https://arxiv.org/abs/1907.11692.

    Raises:
        PreprocessorError: a file is missing or invalid, or the vocabulary lacks <s> or </s>.
    """
    backend = byte_bpe(files, settings)
    cls, sep = token_text(settings["cls_token"]), token_text(settings["sep_token"])
    cls_id, sep_id = backend.token_to_id(cls), backend.token_to_id(sep)
    if cls_id is None or sep_id is None:
        raise PreprocessorError(f"{files.where}/vocab.json lacks {cls if cls_id is None else sep}")
    backend.post_processor = processors.RobertaProcessing(
        (sep, sep_id),
        (cls, cls_id),
        trim_offsets=bool(settings.get("trim_offsets", True)),
        add_prefix_space=bool(settings.get("add_prefix_space", False)),
    )
    return backend


def _vocab_json(files: TokenizerFiles) -> dict[str, int]:
    if "vocab.json" not in files:
        raise PreprocessorError(f"{files.where} holds merges.txt but no vocab.json")
    vocab = files.json("vocab.json")
    for token, token_id in vocab.items():
        if not isinstance(token_id, int) or token_id < 0:
            raise PreprocessorError(
                f"{files.where}/vocab.json gives {token!r} the id {token_id!r}; an id is a whole number"
            )
    if any(token.endswith("</w>") for token in vocab):
        raise PreprocessorError(
            f"{files.where}/vocab.json marks the ends of words (</w>), which GPT-2's tokenizer does not; "
            "this model needs its tokenizer.json"
        )
    return vocab


def _merges(files: TokenizerFiles, vocab: Mapping[str, int]) -> list[tuple[str, str]]:
    where = f"{files.where}/merges.txt"
    if "merges.txt" not in files:
        raise PreprocessorError(f"{files.where} holds vocab.json but no merges.txt")
    merges = []
    for number, line in enumerate(files.text("merges.txt").split("\n"), start=1):
        if not line.strip() or (number == 1 and line.startswith("#version")):
            continue
        left, _, right = line.rstrip("\r").partition(" ")
        if not left or not right or " " in right:
            raise PreprocessorError(
                f"{where}, line {number}, is {line!r:.60}; two tokens with a space between are expected"
            )
        if left not in vocab or right not in vocab or left + right not in vocab:
            raise PreprocessorError(
                f"{where}, line {number}, merges {left!r} and {right!r}, which vocab.json does not have"
            )
        merges.append((left, right))
    return merges
