"""The toy's tokenizer: one token for each byte, a few merges, and three special tokens; any text survives it."""

import json
from collections.abc import Sequence
from pathlib import Path

MERGES = (("Ġ", "t"), ("h", "e"), ("Ġt", "he"), ("i", "n"))
START, END, PAD = "<|start|>", "<|end|>", "<|pad|>"
SPECIAL = (START, END, PAD)


def byte_characters() -> list[str]:
    """The printable character that stands for each byte in byte-level vocabularies: itself, or one from U+0100 on."""
    printable = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) if byte in printable else chr(256 + others.index(byte)) for byte in range(256)]


def vocabulary() -> dict[str, int]:
    """Token to id: 256 bytes, then merges, then special tokens; 263 in all."""
    words = [*byte_characters(), *("".join(pair) for pair in MERGES), *SPECIAL]
    return {word: number for number, word in enumerate(words)}


def write_tokenizer(folder: Path, more: Sequence[str] = ()) -> None:
    """Write tokenizer.json and tokenizer_config.json into `folder`.

    Args:
        more: further special tokens; their ids follow the vocabulary's.
    """
    ids = vocabulary()
    ids |= {word: len(ids) + number for number, word in enumerate(more)}
    added = [
        {
            "id": ids[word], "content": word, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": True,
        }
        for word in (*SPECIAL, *more)
    ]  # fmt: skip
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": True}
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": byte_level,
        "decoder": byte_level,
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            "vocab": {word: number for word, number in ids.items() if word not in {*SPECIAL, *more}},
            "merges": [list(pair) for pair in MERGES],
        },
    }  # fmt: skip
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": START,
        "eos_token": END,
        "pad_token": PAD,
        "model_max_length": 128,
        "clean_up_tokenization_spaces": False,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in (("tokenizer.json", tokenizer), ("tokenizer_config.json", config)):
        (folder / name).write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")
