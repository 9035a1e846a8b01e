"""A tokenizer's vocabulary as the grammar engine wants it: made once for each tokenizer. No torch here."""

import threading
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from llguidance import LLTokenizer
from tokenizers import Tokenizer

from modelry.errors import GenerationError

_made: WeakKeyDictionary[Any, dict[tuple[int, tuple[int, ...]], LLTokenizer]] = WeakKeyDictionary()
_lock = threading.Lock()
_NO_END = "<|modelry: the model never says this|>"


def vocabulary(tokenizer: Any, end_tokens: Sequence[int]) -> LLTokenizer:
    """The vocabulary, kept as long as the tokenizer lives (SmolLM2's 49,152 tokens take 0.7 s the first time).

    Args:
        tokenizer: has a `backend_tokenizer` of the tokenizers library.
        end_tokens: ids that end an answer; may be empty.

    Raises:
        GenerationError: no tokenizer, or one whose tokens are not known as bytes.
    """
    if tokenizer is None:
        raise GenerationError("strategy='constrained' needs the tokenizer: generate(..., tokenizer=tokenizer)")
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if not isinstance(backend, Tokenizer):
        raise GenerationError(
            f"strategy='constrained' needs a tokenizer on the tokenizers library; {type(tokenizer).__name__} is none"
        )
    key = (backend.get_vocab_size(), tuple(end_tokens))
    with _lock:
        found = _made.setdefault(tokenizer, {})
        if key not in found:
            found[key] = _make(backend, key[1])
        return found[key]


def _make(backend: Tokenizer, end_tokens: tuple[int, ...]) -> LLTokenizer:
    plain = Tokenizer.from_str(backend.to_str())
    plain.no_padding()
    plain.no_truncation()
    if not end_tokens:  # the engine wants an end token: one beyond the model's vocabulary
        plain.add_special_tokens([_NO_END])
        end_tokens = (plain.get_vocab()[_NO_END],)
    try:
        return LLTokenizer(plain.to_str(), eos_token=list(end_tokens))
    except ValueError as error:
        raise GenerationError(f"this tokenizer cannot be constrained (end tokens {end_tokens}): {error}") from error
