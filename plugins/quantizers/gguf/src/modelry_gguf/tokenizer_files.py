"""The text of tokenizer.json, tokenizer_config.json and the chat template, told by a GGUF file's metadata. No torch."""

import json
from collections.abc import Mapping

from modelry.errors import CheckpointError
from modelry_gguf.byte_level import byte_level_parts
from modelry_gguf.facts import Facts
from modelry_gguf.pre_tokenizers import pre_tokenizer
from modelry_gguf.sentencepiece import sentencepiece_parts
from modelry_gguf.vocabulary import UNKNOWN, Vocabulary, read_vocabulary


def tokenizer_files(facts: Facts) -> Mapping[str, str] | None:
    """File name to text; None where the file has no tokenizer.

    Raises:
        CheckpointError: the tokenizer is of an unknown kind, or its lists are missing or contradict each other.
    """
    kind = facts.text("tokenizer.ggml.model")
    if kind in (None, "none", "no_vocab"):
        return None
    if kind not in ("gpt2", "llama"):
        raise CheckpointError(
            f"{facts.where}: tokenizer.ggml.model is {str(kind)[:100]!r}; this reader knows 'gpt2' (byte-level) and "
            "'llama' (SentencePiece). Take the tokenizer from the original checkpoint instead."
        )
    vocabulary = read_vocabulary(facts)
    byte_level = kind == "gpt2"
    if byte_level:
        cuts = pre_tokenizer(facts.text("tokenizer.ggml.pre"), facts.where)
        parts = byte_level_parts(vocabulary, cuts)
        adds_bos = cuts.adds_bos
    else:
        if "unk" not in vocabulary.named and UNKNOWN in vocabulary.types:
            vocabulary.named["unk"] = vocabulary.types.index(UNKNOWN)
        parts = sentencepiece_parts(vocabulary, space_prefix=facts.truth("tokenizer.ggml.add_space_prefix", True))
        adds_bos = True
    adds_bos = facts.truth("tokenizer.ggml.add_bos_token", adds_bos)
    adds_eos = facts.truth("tokenizer.ggml.add_eos_token", False)
    begin = ["bos"] if adds_bos and "bos" in vocabulary.named else []
    end = ["eos"] if adds_eos and "eos" in vocabulary.named else []
    contents = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": vocabulary.added_tokens(),
        "post_processor": _template(vocabulary, begin, end),
        **parts,
    }
    config: dict[str, object] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "add_bos_token": bool(begin),
        "add_eos_token": bool(end),
        "add_prefix_space": not byte_level and facts.truth("tokenizer.ggml.add_space_prefix", True),
    }
    context = facts.integer(f"{facts.text('general.architecture')}.context_length")
    if context is not None:
        config["model_max_length"] = context
    config |= {f"{role}_token": vocabulary.tokens[index] for role, index in vocabulary.named.items()}
    files = {"tokenizer.json": json.dumps(contents, ensure_ascii=False)}
    templates = _chat_templates(facts)
    if list(templates) == ["default"]:
        files["chat_template.jinja"] = templates["default"]
    elif templates:
        config["chat_template"] = [{"name": name, "template": text} for name, text in templates.items()]
    return files | {"tokenizer_config.json": json.dumps(config, ensure_ascii=False, indent=2)}


def _template(vocabulary: Vocabulary, begin: list[str], end: list[str]) -> dict[str, object]:
    """The post_processor: beginning and end tokens around one text, and around each of two."""

    def around(text: str, number: int) -> list[dict[str, object]]:
        def special(role: str) -> dict[str, object]:
            return {"SpecialToken": {"id": vocabulary.token(role), "type_id": number}}

        sequence: dict[str, object] = {"Sequence": {"id": text, "type_id": number}}
        return [*map(special, begin), sequence, *map(special, end)]

    used = {vocabulary.tokens[vocabulary.named[role]]: vocabulary.named[role] for role in (*begin, *end)}
    return {
        "type": "TemplateProcessing",
        "single": around("A", 0),
        "pair": around("A", 0) + around("B", 1),
        "special_tokens": {token: {"id": token, "ids": [index], "tokens": [token]} for token, index in used.items()},
    }


def _chat_templates(facts: Facts) -> dict[str, str]:
    """Chat templates by name; "default" is the one without a name."""
    templates: dict[str, str] = {}
    default = facts.text("tokenizer.chat_template")
    if default is not None:
        templates["default"] = default
    for name in facts.texts("tokenizer.chat_templates") or ():
        text = facts.text(f"tokenizer.chat_template.{name}")
        if text is not None:
            templates[name] = text
    return templates
