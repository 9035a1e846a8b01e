"""The token lists of a GGUF file, checked against each other. What is built from them: byte_level and sentencepiece."""

from dataclasses import dataclass

from modelry.errors import CheckpointError
from modelry_gguf.facts import Facts

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
"""Token types: https://github.com/ggml-org/llama.cpp/blob/master/include/llama.h (enum llama_token_type)."""

LONGEST_TOKEN = 4096  # characters; the longest known is 512. Keeps the recovery of merges from growing with its square


@dataclass(frozen=True)
class Vocabulary:
    """All tokens of a file; a token's id is its place."""

    where: str
    tokens: list[str]
    types: list[int]
    ids: dict[str, int]
    named: dict[str, int]
    """"bos", "eos", "unk" and "pad" to id, where the file names them."""
    merges: list[str] | None
    """"left right", the first to be merged first."""
    scores: list[float] | None

    def token(self, role: str) -> str | None:
        """The token that plays a role ("bos"), None where there is none."""
        return self.tokens[self.named[role]] if role in self.named else None

    def added_tokens(self) -> list[dict[str, object]]:
        """The tokens that are found in a text before anything else, as tokenizer.json lists them."""
        named = set(self.named.values())
        return [
            {
                "id": index,
                "content": self.tokens[index],
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": kind != USER_DEFINED or index in named,
            }
            for index, kind in enumerate(self.types)
            if (kind in (UNKNOWN, CONTROL, USER_DEFINED) or index in named) and self.tokens[index]
        ]


def read_vocabulary(facts: Facts) -> Vocabulary:
    """Read and check the token lists.

    Raises:
        CheckpointError: a list is missing or of another length, a token comes twice, or an id is out of range.
    """
    tokens = facts.texts("tokenizer.ggml.tokens")
    if not tokens:
        raise facts.missing("tokenizer.ggml.tokens", "the tokenizer")
    longest = max(map(len, tokens))
    if longest > LONGEST_TOKEN:
        raise CheckpointError(f"{facts.where}: a token is {longest:,} characters long; the limit is {LONGEST_TOKEN:,}.")
    ids = {token: index for index, token in enumerate(tokens)}
    if len(ids) != len(tokens):
        twice = next(token for index, token in enumerate(tokens) if ids[token] != index)
        raise CheckpointError(
            f"{facts.where}: token {twice[:100]!r} comes twice in tokenizer.ggml.tokens. The file is corrupted."
        )
    types = facts.numbers("tokenizer.ggml.token_type", length=len(tokens))
    return Vocabulary(
        where=facts.where,
        tokens=tokens,
        types=[NORMAL] * len(tokens) if types is None else [int(kind) for kind in types],
        ids=ids,
        named=_named(facts, len(tokens)),
        merges=_checked_merges(facts.texts("tokenizer.ggml.merges"), ids, facts.where),
        scores=facts.numbers("tokenizer.ggml.scores", length=len(tokens)),
    )


def _named(facts: Facts, count: int) -> dict[str, int]:
    named: dict[str, int] = {}
    for role, key in (("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding")):
        index = facts.integer(f"tokenizer.ggml.{key}_token_id")
        if index is None or index in (-1, 0xFFFFFFFF):  # llama.cpp's "there is none"
            continue
        if not 0 <= index < count:
            raise CheckpointError(
                f"{facts.where}: tokenizer.ggml.{key}_token_id is {index}; there are {count:,} tokens."
            )
        named[role] = index
    return named


def _checked_merges(merges: list[str] | None, ids: dict[str, int], where: str) -> list[str] | None:
    for merge in merges or ():
        left, _, right = merge.partition(" ")
        if left not in ids or right not in ids or left + right not in ids:
            raise CheckpointError(
                f"{where}: merge {merge[:100]!r} is not of two tokens that make a third. The file is corrupted."
            )
    return merges
