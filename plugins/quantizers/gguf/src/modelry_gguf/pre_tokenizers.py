"""How text is cut before byte-level merging, by the name in tokenizer.ggml.pre. An unknown name is an error, no guess.

Names: https://github.com/ggml-org/llama.cpp/blob/master/src/llama-vocab.cpp. Patterns: those of the tokenizer.json that
the models were published with.
"""

from dataclasses import dataclass

from modelry.errors import CheckpointError

_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+"
_SIGNS = r" ?[^\s\p{L}\p{N}]+[\r\n]*"
_CAPITALS = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}"
_SMALL = r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
_CASED_WORDS = (
    rf"[^\r\n\p{{L}}\p{{N}}]?[{_CAPITALS}]*[{_SMALL}]+{{end}}|[^\r\n\p{{L}}\p{{N}}]?[{_CAPITALS}]+[{_SMALL}]*{{end}}"
)
_PATHS = r" ?[^\s\p{L}\p{N}]+[\r\n/]*"

_LLAMA3 = rf"{_CONTRACTIONS}|{_WORDS}|\p{{N}}{{1,3}}|{_SIGNS}|{_SPACES}"
_QWEN2 = rf"{_CONTRACTIONS}|{_WORDS}|\p{{N}}|{_SIGNS}|{_SPACES}"
_TEKKEN = rf"{_CASED_WORDS.replace('{end}', '')}|\p{{N}}|{_PATHS}|{_SPACES}"
_GPT4O = rf"{_CASED_WORDS.replace('{end}', _CONTRACTIONS + '?')}|\p{{N}}{{1,3}}|{_PATHS}|{_SPACES}"


@dataclass(frozen=True)
class PreTokenizer:
    """What a name in tokenizer.ggml.pre stands for."""

    patterns: tuple[str, ...] = ()
    """Text is cut by each in turn; every match stands alone."""
    single_digits: bool = False
    """Digits stand alone."""
    words: bool = False
    """GPT-2's own pattern is the last cut."""
    whole_words: bool = False
    """A word that is a token is taken whole, whatever the merges say."""
    adds_bos: bool = False
    """Whether the beginning token is added where the file does not say."""
    composes: bool = False
    """Characters are composed first (Unicode NFC)."""

    def json(self) -> dict[str, object]:
        """The pre_tokenizer of tokenizer.json."""
        steps: list[dict[str, object]] = [
            {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
            for pattern in self.patterns
        ]
        if self.single_digits:
            steps.append({"type": "Digits", "individual_digits": True})
        steps.append({"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": self.words})
        return steps[0] if len(steps) == 1 else {"type": "Sequence", "pretokenizers": steps}


_GPT2 = PreTokenizer(words=True)
_DIGITS = PreTokenizer(words=True, single_digits=True)
_LLAMA3_FAMILY = PreTokenizer(patterns=(_LLAMA3,), whole_words=True, adds_bos=True)
_LLAMA3_CUTS = PreTokenizer(patterns=(_LLAMA3,))
_QWEN2_CUTS = PreTokenizer(patterns=(_QWEN2,))

PRE_TOKENIZERS: dict[str, PreTokenizer] = {
    "default": _GPT2,  # files of before the name was written
    "gpt-2": _GPT2,
    "mpt": _GPT2,
    "olmo": _GPT2,
    "jais": _GPT2,
    "phi-2": _GPT2,
    "trillion": _GPT2,
    "smollm": _DIGITS,
    "starcoder": _DIGITS,
    "refact": _DIGITS,
    "codeshell": _DIGITS,
    "minerva-7b": _DIGITS,
    "llama3": _LLAMA3_FAMILY,
    "llama-v3": _LLAMA3_FAMILY,
    "llama-bpe": _LLAMA3_FAMILY,
    "falcon3": _LLAMA3_FAMILY,
    "pixtral": _LLAMA3_FAMILY,
    "midm-2.0": _LLAMA3_FAMILY,
    "lfm2": _LLAMA3_FAMILY,
    "dbrx": _LLAMA3_CUTS,
    "smaug-bpe": _LLAMA3_CUTS,
    "qwen2": PreTokenizer(patterns=(_QWEN2,), composes=True),
    "deepseek-r1-qwen": _QWEN2_CUTS,
    "stablelm2": _QWEN2_CUTS,
    "megrez": _QWEN2_CUTS,
    "hunyuan": _QWEN2_CUTS,
    "tekken": PreTokenizer(patterns=(_TEKKEN,), whole_words=True, adds_bos=True),
    "gpt-4o": PreTokenizer(patterns=(_GPT4O,)),
    "llama4": PreTokenizer(patterns=(_GPT4O,)),
    "deepseek-coder": PreTokenizer(
        patterns=(r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+"), single_digits=True
    ),
}


def pre_tokenizer(name: str | None, where: str) -> PreTokenizer:
    """The entry of one name; None stands for "default".

    Raises:
        CheckpointError: the name is not in the table.
    """
    name = "default" if name is None else name
    if name not in PRE_TOKENIZERS:
        raise CheckpointError(
            f"{where}: tokenizer.ggml.pre is {name[:100]!r}, which this reader does not know "
            f"(it knows {', '.join(PRE_TOKENIZERS)}). Take the tokenizer from the original checkpoint instead."
        )
    return PRE_TOKENIZERS[name]
