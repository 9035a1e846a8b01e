"""The tokenizer.json of a SentencePiece vocabulary ("llama" in GGUF): scores, "▁" for a space, bytes for the unknown.

SentencePiece joins, again and again, the two neighbours whose union has the highest score
(Kudo and Richardson 2018, https://arxiv.org/abs/1808.06226); merges in the order of those scores do the same.
"""

import math

from modelry.errors import CheckpointError
from modelry_gguf.vocabulary import NORMAL, Vocabulary

SPACE = "▁"


def merges_of_scores(vocabulary: Vocabulary) -> list[list[str]]:
    """Every way to put a normal token together from two others, the highest score first.

    Raises:
        CheckpointError: the file has no scores, or one of them is not a number.
    """
    if vocabulary.scores is None:
        raise CheckpointError(
            f"{vocabulary.where}: the tokenizer has neither tokenizer.ggml.scores nor tokenizer.ggml.merges. "
            "Convert the model again."
        )
    normal = {
        token: index
        for index, (token, kind) in enumerate(zip(vocabulary.tokens, vocabulary.types, strict=True))
        if kind == NORMAL
    }
    ways: list[tuple[float, int, int, str, str]] = []
    for token, index in normal.items():
        score = vocabulary.scores[index]
        if math.isnan(score):
            raise CheckpointError(
                f"{vocabulary.where}: the score of token {token[:100]!r} is not a number. The file is corrupted."
            )
        for cut in range(1, len(token)):
            left, right = normal.get(token[:cut]), normal.get(token[cut:])
            if left is not None and right is not None:
                ways.append((-score, left, right, token[:cut], token[cut:]))
    ways.sort()
    return [[left, right] for _, _, _, left, right in ways]


def sentencepiece_parts(vocabulary: Vocabulary, *, space_prefix: bool) -> dict[str, object]:
    """normalizer, pre_tokenizer, decoder and model of tokenizer.json.

    Args:
        vocabulary: tokens with scores or merges.
        space_prefix: whether a text is read as if a space stood before it.

    Raises:
        CheckpointError: as `merges_of_scores`.
    """
    spaces = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
    prefix = {"type": "Prepend", "prepend": SPACE}
    decoders: list[dict[str, object]] = [
        {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
    ]
    if space_prefix:
        decoders.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    given = vocabulary.merges
    return {
        "normalizer": {"type": "Sequence", "normalizers": [prefix, spaces]} if space_prefix else spaces,
        "pre_tokenizer": None,
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": vocabulary.token("unk"),
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": vocabulary.ids,
            "merges": merges_of_scores(vocabulary) if given is None else given,
        },
    }
