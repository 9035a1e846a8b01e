"""Weights: built on the meta device, saved and loaded bit by bit, under published names, tied ones once."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from modelry import PreTrainedModel
from modelry_testing.errors import ContractBroken
from modelry_testing.models.subject import Subject, main_output, told_apart

TINY_BYTES = 1_000_000


def meta_init(subject: Subject) -> None:
    """Every head is built on the meta device without reading a value; buffers that no file holds stay real."""
    for head in subject.family.heads:
        with torch.device("meta"):
            model = subject.head_class(head)(subject.config())
        real = [name for name, one in model.named_parameters() if not one.is_meta]
        if real:
            raise ContractBroken(f"{type(model).__name__} on the meta device allocates {', '.join(real)}")
        stored = model.state_dict(keep_vars=True)
        lost = [name for name, one in model.named_buffers() if one.is_meta and name not in stored]
        if lost:
            raise ContractBroken(
                f"{type(model).__name__} leaves {', '.join(lost)} on the meta device, and no file holds them: "
                'build buffers that are not saved with device="cpu"'
            )


def tiny_size(subject: Subject) -> None:
    """The tiny model is under a megabyte, so that everybody's tests can afford it."""
    for head in subject.family.heads:
        size = sum(one.numel() * one.element_size() for one in set(subject.model(head).parameters()))
        if size > TINY_BYTES:
            raise ContractBroken(f"the tiny {head} model has {size} bytes, and {TINY_BYTES} are allowed")


def save_and_load(subject: Subject) -> None:
    """Every head that is saved and loaded again has the same bits and gives the same bits."""
    for head in subject.family.heads:
        model, inputs = subject.model(head), subject.inputs_of(head)
        torch.manual_seed(1)
        loaded = subject.head_class(head).from_pretrained(subject.saved(head))
        name = type(model).__name__
        if loaded.training:
            raise ContractBroken(f"{name}.from_pretrained returns a model in training mode")
        before, after = dict(tensors(model)), dict(tensors(loaded))
        if before.keys() != after.keys():
            raise ContractBroken(
                f"{name}: saving and loading changes the tensors {sorted(before.keys() ^ after.keys())}"
            )
        changed = [key for key in before if not _bit_equal(before[key], after[key])]
        if changed:
            raise ContractBroken(f"{name}: saving and loading changes the bits of {', '.join(changed)}")
        for one in (*loaded.parameters(), *loaded.buffers()):
            one.data = one.data.clone()  # MKL sums in another order where a mapped file is not aligned to 64 bytes
        with torch.inference_mode():
            if not torch.equal(main_output(model(**inputs)), main_output(loaded(**inputs))):
                raise ContractBroken(
                    f"{name}: the loaded model computes something else: it holds state that is not saved"
                )


def tensors(model: PreTrainedModel) -> Iterator[tuple[str, Tensor]]:
    """Parameters and saved buffers by name, tied ones under each of their names."""
    yield from model.state_dict(keep_vars=True).items()


def _bit_equal(one: Tensor, other: Tensor) -> bool:
    return one.dtype == other.dtype and torch.equal(one.detach(), other.detach())


def stored_names(folder: Path) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor in a folder's safetensors files."""
    found: dict[str, tuple[int, ...]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - no mapping, it has only keys()
                found[name] = tuple(file.get_slice(name).get_shape())
    return found


def names(subject: Subject) -> None:
    """Class names are the published architectures: the reference, the class and the saved config.json agree."""
    suffixes = {
        "base": ("Model",),
        "causal-lm": ("ForCausalLM", "LMHeadModel"),
        "seq2seq-lm": ("ForConditionalGeneration",),
        "masked-lm": ("ForMaskedLM",),
        "sequence-classification": ("ForSequenceClassification",),
        "token-classification": ("ForTokenClassification",),
        "question-answering": ("ForQuestionAnswering", "ForQuestionAnsweringSimple"),
        "multiple-choice": ("ForMultipleChoice",),
        "image-classification": ("ForImageClassification",),
    }
    published = tuple(subject.config().architectures or ())
    for head, reference in subject.family.heads.items():
        name = subject.head_class(head).__name__
        if name != reference.partition(":")[2]:
            raise ContractBroken(f"the {head} head refers to {reference}, whose class is called {name}")
        if name not in published and not name.endswith(suffixes.get(head, ("",))):
            raise ContractBroken(
                f"the {head} head is called {name}; published architectures end in {' or '.join(suffixes[head])}. "
                "Where this one is an exception, name it in `architectures` of the tiny configuration"
            )
        written = json.loads((subject.saved(head) / "config.json").read_text(encoding="utf-8"))
        if written.get("architectures") != [name]:
            raise ContractBroken(f"{name} writes architectures {written.get('architectures')!r} into config.json")


def tied(subject: Subject) -> None:
    """With tie_word_embeddings the two names are one tensor, stored once, before and after loading."""
    tying = [head for head in subject.family.heads if subject.head_class(head).tied_weights]
    if not tying:
        pytest.skip("no head declares tied weights")
    for head in tying:
        head_class = subject.head_class(head)
        model = told_apart(head_class.from_config(subject.config(tie_word_embeddings=True)))
        with tempfile.TemporaryDirectory() as folder:
            model.save_pretrained(folder)
            stored = stored_names(Path(folder))
            loaded = head_class.from_pretrained(folder)
        for one in (model, loaded):
            held = one.state_dict(keep_vars=True)
            for name, source in head_class.tied_weights.items():
                if name in held and held[name] is not held.get(source):
                    raise ContractBroken(f"{name} and {source} are two tensors although tie_word_embeddings is true")
        twice = [name for name in head_class.tied_weights if name in stored]
        if twice and head_class.weight_table is None:
            raise ContractBroken(
                f"{', '.join(twice)} is stored, although it is tied to {head_class.tied_weights[twice[0]]}"
            )
