"""What a GGUF file says of a tokenizer: the inverse of tokenizer_files. No torch.

Byte-level BPE ("gpt2") and SentencePiece's BPE with bytes for the unknown ("llama") have a form.
"""

import json
import re
from typing import Any

import numpy as np

from modelry.errors import CheckpointError
from modelry_gguf.container_writing import Fact
from modelry_gguf.pre_tokenizers import PRE_TOKENIZERS
from modelry_gguf.sentencepiece import SPACE
from modelry_gguf.vocabulary import BYTE, CONTROL, NORMAL, UNKNOWN, UNUSED, USER_DEFINED

_PREFERRED = ("gpt-2", "llama-bpe", "smollm")
"""Of the names in tokenizer.ggml.pre that stand for the same cuts."""
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")


def tokenizer_facts(tokenizer: Any, *, vocabulary_size: int) -> dict[str, Fact]:
    """Vocabulary, merges or scores, special tokens, chat templates.

    Args:
        tokenizer: a Tokenizer.
        vocabulary_size: rows of the model's embedding; ids without a token are marked as unused.

    Raises:
        CheckpointError: the tokenizer is of another kind, cuts text in an unknown way, or has too many tokens.
    """
    contents = json.loads(tokenizer.backend_tokenizer.to_str())
    model = contents["model"]
    if model["type"] != "BPE":
        raise CheckpointError(
            f"a tokenizer of type {model['type']!r} has no GGUF form here; BPE, byte-level or SentencePiece's, has one"
        )
    sentencepiece = bool(model.get("byte_fallback"))
    added = {one["id"]: one for one in contents["added_tokens"]}
    tokens = {index: token for token, index in model["vocab"].items()} | {k: v["content"] for k, v in added.items()}
    if max(tokens, default=0) >= vocabulary_size:
        raise CheckpointError(f"the tokenizer has token {max(tokens):,}; the model has {vocabulary_size:,} embeddings")
    types = np.full(vocabulary_size, NORMAL, np.int32)
    texts = []
    for index in range(vocabulary_size):
        texts.append(tokens.get(index, f"[PAD{index}]"))
        if index not in tokens:
            types[index] = UNUSED
        elif index in added:
            types[index] = CONTROL if added[index]["special"] else USER_DEFINED
        elif sentencepiece and _BYTE.fullmatch(texts[-1]):
            types[index] = BYTE
    merges = [one if isinstance(one, str) else " ".join(one) for one in model["merges"]]
    facts: dict[str, Fact] = {"tokenizer.ggml.model": "llama" if sentencepiece else "gpt2"}
    if sentencepiece:
        unknown = model.get("unk_token")
        if unknown in texts:
            types[texts.index(unknown)] = UNKNOWN
        facts["tokenizer.ggml.pre"] = "default"
        facts["tokenizer.ggml.scores"] = _scores(texts, merges)
        facts["tokenizer.ggml.add_space_prefix"] = '"prepend": "' + SPACE in json.dumps(contents, ensure_ascii=False)
    else:
        facts["tokenizer.ggml.pre"] = _cuts(contents)
        facts["tokenizer.ggml.merges"] = merges
        facts["tokenizer.ggml.add_space_prefix"] = False
    facts["tokenizer.ggml.tokens"] = texts
    facts["tokenizer.ggml.token_type"] = types
    return facts | _special(tokenizer) | _templates(tokenizer.chat_template)


def _scores(texts: list[str], merges: list[str]) -> np.ndarray:
    """The sooner two tokens merge, the higher the score of what they make."""
    ranks: dict[str, int] = {}
    for rank, merge in enumerate(merges):
        ranks.setdefault(merge.replace(" ", ""), rank)
    last = len(merges)
    return np.array([-float(ranks.get(text, last)) for text in texts], np.float32)


def _cuts(contents: dict[str, Any]) -> str:
    """The name in tokenizer.ggml.pre of how text is cut."""
    found = (_essence(contents["pre_tokenizer"]), (contents["normalizer"] or {}).get("type"))
    whole_words = bool(contents["model"].get("ignore_merges"))
    names = [
        name
        for name, cuts in PRE_TOKENIZERS.items()
        if (_essence(cuts.json()), "NFC" if cuts.composes else None) == found and cuts.whole_words == whole_words
    ]
    if not names:
        raise CheckpointError(
            f"the tokenizer cuts text by {json.dumps(contents['pre_tokenizer'])[:300]}, which has no name in GGUF here"
        )
    return next((name for name in _PREFERRED if name in names), names[0])


def _essence(steps: Any) -> list[Any]:
    """The cuts of a pre_tokenizer without what changes offsets only."""
    listed = steps["pretokenizers"] if steps and steps["type"] == "Sequence" else [steps]
    return [{key: value for key, value in (one or {}).items() if key != "trim_offsets"} for one in listed]


def _special(tokenizer: Any) -> dict[str, Fact]:
    ids = {role: getattr(tokenizer, f"{role}_token_id") for role in ("bos", "eos", "unk", "pad")}
    names = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}
    facts: dict[str, Fact] = {
        f"tokenizer.ggml.{names[role]}_token_id": index for role, index in ids.items() if index is not None
    }
    example = tokenizer("a")["input_ids"]
    facts["tokenizer.ggml.add_bos_token"] = ids["bos"] is not None and example[0] == ids["bos"]
    facts["tokenizer.ggml.add_eos_token"] = ids["eos"] is not None and example[-1] == ids["eos"]
    return facts


def _templates(templates: str | dict[str, str] | None) -> dict[str, Fact]:
    if not templates:
        return {}
    by_name = {"default": templates} if isinstance(templates, str) else dict(templates)
    facts: dict[str, Fact] = {}
    if "default" in by_name:
        facts["tokenizer.chat_template"] = by_name.pop("default")
    if by_name:
        facts["tokenizer.chat_templates"] = list(by_name)
    return facts | {f"tokenizer.chat_template.{name}": text for name, text in by_name.items()}
