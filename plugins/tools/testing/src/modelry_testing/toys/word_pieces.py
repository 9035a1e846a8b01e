"""A tokenizer as BERT has it, of a hundred pieces: lower case, words of letters, and the five special tokens."""

import json
from pathlib import Path

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = (
    "the",
    "inn",
    "by",
    "sea",
    "rain",
    "and",
    "tin",
    "roof",
    "then",
    "came",
    "is",
    "of",
    "a",
    "who",
    "where",
    "##s",
)
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SIGNS = ".,?!'-:0123456789"


def pieces() -> list[str]:
    """Every token in the order of its id; the padding is 0."""
    return list(dict.fromkeys([*SPECIAL, *WORDS, *LETTERS, *SIGNS, *(f"##{letter}" for letter in LETTERS)]))


def write_word_pieces(folder: Path, *, longest: int = 64) -> None:
    """Write tokenizer.json and tokenizer_config.json into `folder`.

    Args:
        longest: tokens that the model takes.
    """
    ids = {piece: number for number, piece in enumerate(pieces())}
    added = [
        {
            "id": ids[word], "content": word, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": True,
        }
        for word in SPECIAL
    ]  # fmt: skip
    cls, sep = ({"SpecialToken": {"id": name, "type_id": 0}} for name in ("[CLS]", "[SEP]"))
    first, second = ({"Sequence": {"id": name, "type_id": kind}} for name, kind in (("A", 0), ("B", 1)))
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {
            "type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [cls, first, sep],
            "pair": [cls, first, sep, second, {"SpecialToken": {"id": "[SEP]", "type_id": 1}}],
            "special_tokens": {
                name: {"id": name, "ids": [ids[name]], "tokens": [name]} for name in ("[CLS]", "[SEP]")
            },
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": ids,
        },
    }  # fmt: skip
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    config = {
        "tokenizer_class": "BertTokenizer",
        **dict(zip(names, SPECIAL, strict=True)),
        "do_lower_case": True,
        "model_max_length": longest,
        "clean_up_tokenization_spaces": False,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in (("tokenizer.json", tokenizer), ("tokenizer_config.json", config)):
        (folder / name).write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")
