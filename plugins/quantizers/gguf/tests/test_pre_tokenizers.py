"""Every entry of the table builds, and cuts as the published tokenizers of its models do."""

import json

import pytest
from tokenizers import Tokenizer, models

from modelry.errors import CheckpointError
from modelry_gguf.pre_tokenizers import PRE_TOKENIZERS, pre_tokenizer

TEXT = "I'll sum  12345 words\n\n1. naïve/x"

CUTS = {  # by hand, from the published patterns; Ġ is a space, Ċ a line feed
    "gpt-2": ["I", "'ll", "Ġsum", "Ġ", "Ġ12345", "Ġwords", "Ċ", "Ċ", "1", ".", "ĠnaÃ¯ve", "/", "x"],
    "smollm": ["I", "'ll", "Ġsum", "ĠĠ", "1", "2", "3", "4", "5", "Ġwords", "ĊĊ", "1", ".", "ĠnaÃ¯ve", "/", "x"],
    "llama-bpe": ["I", "'ll", "Ġsum", "Ġ", "Ġ", "123", "45", "Ġwords", "ĊĊ", "1", ".", "ĠnaÃ¯ve", "/x"],
    "qwen2": ["I", "'ll", "Ġsum", "Ġ", "Ġ", "1", "2", "3", "4", "5", "Ġwords", "ĊĊ", "1", ".", "ĠnaÃ¯ve", "/x"],
    "gpt-4o": ["I'll", "Ġsum", "Ġ", "Ġ", "123", "45", "Ġwords", "ĊĊ", "1", ".", "ĠnaÃ¯ve", "/x"],
    "deepseek-coder": [
        "I",
        "'",
        "ll",
        "Ġsum",
        "ĠĠ",
        "1",
        "2",
        "3",
        "4",
        "5",
        "Ġwords",
        "Ċ",
        "Ċ",
        "1",
        ".",
        "ĠnaÃ¯ve",
        "/",
        "x",
    ],
}


def pieces(name: str, text: str) -> list[str]:
    tokenizer = Tokenizer(models.BPE())
    contents = json.loads(tokenizer.to_str()) | {"pre_tokenizer": PRE_TOKENIZERS[name].json()}
    built = Tokenizer.from_str(json.dumps(contents)).pre_tokenizer
    return [piece for piece, _ in built.pre_tokenize_str(text)]


@pytest.mark.parametrize("name", CUTS)
def test_cuts(name: str) -> None:
    assert pieces(name, TEXT) == CUTS[name]


@pytest.mark.parametrize("name", PRE_TOKENIZERS)
def test_nothing_is_lost(name: str) -> None:
    assert len("".join(pieces(name, TEXT))) == len(TEXT.encode())


def test_names() -> None:
    assert pre_tokenizer(None, "a file") is PRE_TOKENIZERS["default"]
    with pytest.raises(CheckpointError, match="'viking', which this reader does not know"):
        pre_tokenizer("viking", "a file")
