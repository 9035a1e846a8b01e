"""The kinds of training that a file may ask for: each says what it reads, and makes rows for the model of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from modelry_trainer.command.settings import PreprocessingSettings
from modelry_trainer.errors import TrainFileError

_TEXT = frozenset({"max_length", "overlong"})


@dataclass(frozen=True)
class Kind:
    """One kind of training."""

    head: str
    """Of the model: the name that families declare it by."""
    prepare: str
    """Reference to the function that makes a `Prepared` of a `Given`."""
    preprocessing: frozenset[str]
    """The keys of that section that say something here."""
    columns: str
    """What a row has, in words."""
    pictures: bool = False
    texts_out: bool = False
    """Whether the model writes a text for a text."""
    adapter_task: str | None = None
    """What PEFT calls it; None: it needs no name."""


_ROOM = "modelry_trainer.command.kinds"
KINDS: Mapping[str, Kind] = {
    "causal-lm": Kind(
        "causal-lm",
        f"{_ROOM}.texts:prepare_causal",
        _TEXT | {"packing", "add_eos"},
        "text",
        adapter_task="CAUSAL_LM",
    ),
    "chat": Kind(
        "causal-lm",
        f"{_ROOM}.chats:prepare_chats",
        _TEXT | {"packing", "completion_only", "chat_template", "add_eos"},
        "messages (and tools), or prompt and completion",
        adapter_task="CAUSAL_LM",
    ),
    "masked-lm": Kind(
        "masked-lm", f"{_ROOM}.texts:prepare_masked", _TEXT | {"mlm_probability", "whole_word_mask"}, "text"
    ),
    "sequence-classification": Kind(
        "sequence-classification",
        f"{_ROOM}.sequences:prepare_sequences",
        _TEXT | {"problem_type"},
        "text (and text_pair), label",
        adapter_task="SEQ_CLS",
    ),
    "token-classification": Kind(
        "token-classification",
        f"{_ROOM}.tokens:prepare_tokens",
        _TEXT | {"label_all_tokens"},
        "tokens (a list of words), labels (one for each)",
        adapter_task="TOKEN_CLS",
    ),
    "seq2seq-lm": Kind(
        "seq2seq-lm",
        f"{_ROOM}.pairs:prepare_pairs",
        _TEXT | {"source_prefix", "max_target_length"},
        "source, target",
        texts_out=True,
        adapter_task="SEQ_2_SEQ_LM",
    ),
    "image-classification": Kind(
        "image-classification", f"{_ROOM}.images:prepare_images", frozenset(), "image, label", pictures=True
    ),
}
"""Name to kind."""

_OTHER_NAMES = {
    "sft": "chat",
    "chats": "chat",
    "text-generation": "causal-lm",
    "clm": "causal-lm",
    "mlm": "masked-lm",
    "fill-mask": "masked-lm",
    "text-classification": "sequence-classification",
    "ner": "token-classification",
    "seq2seq": "seq2seq-lm",
    "translation": "seq2seq-lm",
    "summarization": "seq2seq-lm",
}


def kind_named(name: str, where: str) -> Kind:
    """A kind by its name.

    Raises:
        TrainFileError: there is none; the message says which there are.
    """
    if name in KINDS:
        return KINDS[name]
    near = get_close_matches(name, KINDS, 1)
    meant = _OTHER_NAMES.get(name) or (near[0] if near else None)
    hint = f"did you mean {meant}? " if meant else ""
    raise TrainFileError(
        f"{where}: task {name!r} cannot be trained from a file: {hint}There are {', '.join(KINDS)}; "
        "of any other write a program with modelry.Trainer"
    )


def refuse_idle(settings: PreprocessingSettings, kind: Kind, *, task: str, where: str) -> None:
    """Refuse what says nothing for the kind of training.

    Raises:
        TrainFileError: such a key is set.
    """
    for key in sorted(settings.model_fields_set - kind.preprocessing):
        has = ", ".join(sorted(kind.preprocessing)) or "none"
        raise TrainFileError(f"{where}: preprocessing.{key} says nothing for the task {task}; it has {has}")
