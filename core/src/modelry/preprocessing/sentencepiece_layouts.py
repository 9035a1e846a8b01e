"""What published classes add to what a SentencePiece model's file says: other numbers, a frame, plainer text."""

import string
from collections.abc import Iterable
from dataclasses import replace

import tokenizers
from tokenizers import Regex, normalizers, processors

from modelry.errors import PreprocessorError
from modelry.preprocessing.sentencepiece_model import Piece, PieceType, SentencePieceModel

_FIRST = ("<s>", "<pad>", "</s>", "<unk>")
_REPLACED = (PieceType.UNKNOWN, PieceType.CONTROL, PieceType.CONTROL)


def renumbered(model: SentencePieceModel, languages: Iterable[str], *, where: str) -> SentencePieceModel:
    """The same pieces as XLM-RoBERTa and mBART number them: four special tokens first, languages and <mask> last.

    Conneau et al. 2019, https://arxiv.org/abs/1911.02116; Liu et al. 2020, https://arxiv.org/abs/2001.08210.

    Raises:
        PreprocessorError: the model does not begin with <unk>, <s> and </s>, whose places these take.
    """
    kinds = tuple(piece.kind for piece in model.pieces[:3])
    if kinds != _REPLACED:
        found = ", ".join(piece.text for piece in model.pieces[:3])
        raise PreprocessorError(
            f"{where} begins with {found}; models of this class begin with their unknown, first and last token"
        )
    first = [Piece(text, kind=PieceType.UNKNOWN if text == "<unk>" else PieceType.CONTROL) for text in _FIRST]
    last = [Piece(text, kind=PieceType.CONTROL) for text in (*languages, "<mask>")]
    return replace(model, pieces=[*first, *model.pieces[3:], *last], bos_id=0, pad_id=1, eos_id=2, unk_id=3)


def frame(backend: tokenizers.Tokenizer, begin: str, end: str) -> None:
    """Put `begin` and `end` around a text, and the second text of a pair between two `end`: RoBERTa's frame."""
    ids = [(token, backend.token_to_id(token)) for token in dict.fromkeys((begin, end))]
    backend.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}", pair=f"{begin} $A {end} {end} $B {end}", special_tokens=ids
    )


def keep_words_only(backend: tokenizers.Tokenizer, *, lowercase: bool) -> None:
    """Have text lose its ASCII punctuation, and its capitals, before the model sees it.

    Zhai et al. 2023 (SigLIP), https://arxiv.org/abs/2303.15343.
    """
    steps: list[normalizers.Normalizer] = [normalizers.Lowercase()] if lowercase else []
    signs = "".join(f"\\{sign}" for sign in string.punctuation)
    steps.append(normalizers.Replace(Regex(f"[{signs}]"), ""))
    steps.append(normalizers.Replace(Regex(r"\s+"), " "))
    steps.append(normalizers.Strip())
    backend.normalizer = normalizers.Sequence([*steps, backend.normalizer])
