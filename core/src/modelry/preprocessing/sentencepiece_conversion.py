"""From a SentencePiece model to a tokenizer of the tokenizers library that cuts text the same way.

Known differences: control tokens written out in the text are recognised, as the ecosystem's tokenizers do; white
space beside an added token is trimmed where the model trims the ends of a text; the tokenizers library replaces some
combining characters differently, and may choose another of several cuts that are equally likely.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers

from modelry.errors import PreprocessorError
from modelry.preprocessing.sentencepiece_model import Algorithm, PieceType, SentencePieceModel
from modelry.preprocessing.special_tokens import read_token

SPACE = "▁"
"""How pieces write a space (U+2581)."""


def convert_sentencepiece(
    model: SentencePieceModel,
    *,
    where: str,
    settings: Mapping[str, Any],
    flags: Iterable[object] = (),
    extra_ids: int = 0,
) -> tokenizers.Tokenizer:
    """Build the tokenizer.

    Args:
        model: what the file says.
        settings: tokenizer_config.json; reads `add_prefix_space`, and `legacy`: False marks the beginning of a word
            only at the beginning of the text, and not where a space does already; otherwise it is marked as the model
            was trained, and after every special token.
        flags: special tokens that are found in a text in another way than usual, as published files write them.
        extra_ids: how many sentinel tokens <extra_id_N> follow the vocabulary, the last with N = 0.

    Raises:
        PreprocessorError: the model is of words or characters, or has the same piece twice.
    """
    if len({piece.text for piece in model.pieces}) != len(model.pieces):
        raise PreprocessorError(f"{where} has the same piece twice")
    if model.algorithm is Algorithm.UNIGRAM:
        vocab = [(piece.text, piece.score) for piece in model.pieces]
        backend = tokenizers.Tokenizer(models.Unigram(vocab, model.unk_id, model.byte_fallback))
    elif model.algorithm is Algorithm.BPE:
        backend = tokenizers.Tokenizer(_bpe(model))
    else:
        raise PreprocessorError(
            f"{where} is a SentencePiece model of type {model.algorithm.name}; UNIGRAM and BPE can be read"
        )
    prefix = bool(settings.get("add_prefix_space", model.add_dummy_prefix))
    legacy = bool(settings.get("legacy", True))
    scheme = "never" if legacy or not prefix else "first"
    backend.normalizer = _normalizer(model, prefix=prefix and legacy, leading=scheme == "first")
    backend.pre_tokenizer = pre_tokenizers.Metaspace(SPACE, scheme, split=_spaces_only_begin_pieces(model))
    steps: list[Any] = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    backend.decoder = decoders.Sequence([*steps, decoders.Strip(" ", 1, 0)] if prefix else steps)
    _add_tokens(backend, model, flags, extra_ids)
    return backend


def special_names(model: SentencePieceModel) -> dict[str, str]:
    """The special tokens that the model itself names: "eos_token" -> its piece."""
    ids = {"unk_token": model.unk_id, "bos_token": model.bos_id, "eos_token": model.eos_id, "pad_token": model.pad_id}
    return {name: model.pieces[one].text for name, one in ids.items() if 0 <= one < len(model.pieces)}


def _bpe(model: SentencePieceModel) -> models.BPE:
    """Every way to put two pieces together to a third is a merge; the piece with the best score comes first."""
    usable = (PieceType.NORMAL, PieceType.USER_DEFINED, PieceType.UNUSED)
    parts = {piece.text for piece in model.pieces if piece.kind in usable}
    ranked = sorted(
        (piece for piece in model.pieces if piece.kind is PieceType.NORMAL and len(piece.text) > 1),
        key=lambda piece: -piece.score,
    )
    merges = [
        (text[:cut], text[cut:])
        for text in (piece.text for piece in ranked)
        for cut in range(1, len(text))
        if text[:cut] in parts and text[cut:] in parts
    ]
    return models.BPE(
        {piece.text: number for number, piece in enumerate(model.pieces)},
        merges,
        unk_token=model.pieces[model.unk_id].text,
        fuse_unk=True,
        byte_fallback=model.byte_fallback,
    )


def _normalizer(model: SentencePieceModel, *, prefix: bool, leading: bool) -> normalizers.Normalizer:
    """
    Args:
        prefix: a mark of a word is put before every piece of text between special tokens.
        leading: a space before a text stays, and is that mark: where the tokenizers library puts it itself, it must
            find the text's beginning in place.
    """
    steps: list[normalizers.Normalizer] = []
    if model.charsmap:
        steps.append(normalizers.Precompiled(model.charsmap))
    if model.remove_extra_whitespaces:
        steps.append(normalizers.Replace(Regex(" +$" if leading else "^ +| +$"), ""))
        steps.append(normalizers.Replace(Regex(" {2,}"), " "))
    if prefix:
        steps.append(normalizers.Prepend(SPACE))
    steps.append(normalizers.Replace(" ", SPACE))
    return normalizers.Sequence(steps)


def _spaces_only_begin_pieces(model: SentencePieceModel) -> bool:
    """True when no token crosses a space, so that words can be cut apart first, which is faster and changes nothing."""
    return all(SPACE not in piece.text[1:] for piece in model.pieces if piece.kind is PieceType.NORMAL)


def _add_tokens(
    backend: tokenizers.Tokenizer, model: SentencePieceModel, flags: Iterable[object], extra_ids: int
) -> None:
    known = {token.content: token for token in (read_token(one, name="a special token") for one in flags)}
    special = [piece.text for piece in model.pieces if piece.kind in (PieceType.CONTROL, PieceType.UNKNOWN)]
    backend.add_special_tokens(
        [known.get(text) or AddedToken(text, normalized=False, special=True) for text in special]
    )
    defined = [piece.text for piece in model.pieces if piece.kind is PieceType.USER_DEFINED]
    backend.add_tokens([AddedToken(text, normalized=False, special=False) for text in defined])
    sentinels = [f"<extra_id_{number}>" for number in range(extra_ids - 1, -1, -1)]
    backend.add_special_tokens([AddedToken(text, normalized=False, special=True) for text in sentinels])
