"""save_gguf: a model and its tokenizer as one .gguf file, which llama.cpp loads.

Packed layers whose integers and scales have a block type are written as they are; all others by way of floats.
"""

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor, nn

from modelry.checkpoint.naming import computed_names
from modelry.errors import CheckpointError, ModelryWarning, QuantizationError
from modelry.model import PreTrainedModel
from modelry.packed import GroupedInt8Linear, Int4Linear, PackedLinear
from modelry.packed.replacing import in_short
from modelry_gguf.architectures import Architecture
from modelry_gguf.blocks import PLAIN, StoredType, packed_type, stored_bytes
from modelry_gguf.container_writing import Pending, write_container
from modelry_gguf.model_facts import architecture_of, model_facts, rotary_divisors
from modelry_gguf.parameters import PackedType
from modelry_gguf.repacking import BLOCK, eight_bit_blocks, four_bit_blocks
from modelry_gguf.tensor_data import rotary_pairs
from modelry_gguf.tokenizer_facts import tokenizer_facts

TYPES = get_args(StoredType)
_ENDS = ("token_embd.weight", "output.weight")
"""Matrices of the vocabulary: 8 bits where the others have 4, as llama.cpp's converter keeps them finer too."""


def save_gguf(model: PreTrainedModel, tokenizer: Any, path: str | Path, type: StoredType | None = None) -> Path:
    """Write a .gguf file. What was there stays whole until the new file is complete.

    Args:
        model: a causal language model of a family that llama.cpp has.
        tokenizer: its tokenizer; None writes a file without one.
        path: the file; by custom its name ends in .gguf.
        type: of matrices. None: packed layers keep their type, and others the model's dtype. Lists (norms, biases)
            are F32; with Q4_0 and Q4_1 the vocabulary's matrices are Q8_0.

    Returns:
        The path, with "~" written out.

    Raises:
        QuantizationError: an unknown type, a packed layer without a type of its own where none is given, or values
            that have no form.
        CheckpointError: the family, its head, a setting or the tokenizer has no GGUF form.
    """
    if type is not None and type not in TYPES:
        raise QuantizationError(f"type is {type!r}; {', '.join(TYPES)} can be written")
    known = architecture_of(model.config)
    if model.base_model is model or model.get_output_embeddings() is None:
        raise CheckpointError(f"{model.__class__.__name__} has no head for the next token; load {known.model_class}")
    tensors = list(_tensors(model, known, type))
    usual = _usual(tensors)
    title = Path(model.name_or_path).stem or known.model_type
    facts = model_facts(model.config, name=title, type_name=usual)
    if tokenizer is not None:
        facts |= tokenizer_facts(tokenizer, vocabulary_size=model.config.vocab_size)
    path = Path(path).expanduser()
    write_container(path, facts, tensors)
    return path


def _usual(tensors: list[Pending]) -> str:
    sizes: dict[str, int] = {}
    for one in tensors:
        if one.name not in _ENDS and len(one.shape) > 1:
            sizes[one.type_name] = sizes.get(one.type_name, 0) + one.size
    return max(sizes, key=lambda name: sizes[name])


def _tensors(model: PreTrainedModel, known: Architecture, wanted: StoredType | None) -> Iterator[Pending]:
    tied = model.config.tie_word_embeddings
    unfit: list[str] = []
    written = set(model.tied_weights) if tied else set()
    divisors = rotary_divisors(model.config)
    if divisors is not None:
        data = torch.from_numpy(divisors)
        yield Pending("rope_freqs.weight", "F32", tuple(data.shape), lambda: data.view(torch.uint8))
    for stored, published in _names(known, model.config.num_hidden_layers):
        if tied and stored == "output.weight":
            continue
        path, _, part = published.rpartition(".")
        module = _module(model, path)
        if module is None or getattr(module, part, None) is None:
            continue
        written.add(published)
        if tied and stored == "token_embd.weight":
            head = model.get_output_embeddings()
            module = head if isinstance(head, PackedLinear) else module
        width = int(model.config.head_dim) if known.paired_rotary and re.search(r"attn_[qk]\.", stored) else None
        pending = _pending(stored, published, module, part, wanted, width)
        if wanted in ("Q4_0", "Q4_1", "Q8_0") and len(pending.shape) > 1 and pending.type_name == "F16":
            unfit.append(path)
        yield pending
    held = {name for name, _ in (*model.named_parameters(remove_duplicate=False), *model.named_buffers())}
    rest = sorted(name for name in held - written - computed_names(model) if ".weight_" not in name)
    if rest:
        raise CheckpointError(f"{', '.join(rest[:5])} has no name in a GGUF file of architecture {known.name!r}")
    if unfit:
        warnings.warn(
            f"layers whose inputs are no multiple of {BLOCK} are written as F16: {in_short(unfit)}",
            ModelryWarning,
            stacklevel=3,
        )


def _names(known: Architecture, layers: int) -> Iterator[tuple[str, str]]:
    """Stored name and published name of every tensor there may be, layer by layer."""
    inside = [pair for pair in known.tensors.items() if "{layer}" in pair[0]]
    outside = [pair for pair in known.tensors.items() if "{layer}" not in pair[0]]
    yield from (pair for pair in outside if pair[0] == "token_embd.weight")
    for layer in range(layers):
        yield from ((stored.format(layer=layer), published.format(layer=layer)) for stored, published in inside)
    yield from (pair for pair in outside if pair[0] != "token_embd.weight")


def _module(model: nn.Module, path: str) -> nn.Module | None:
    try:
        return model.get_submodule(path)
    except AttributeError:
        return None


def _pending(
    stored: str, published: str, module: nn.Module, part: str, wanted: StoredType | None, width: int | None
) -> Pending:
    if isinstance(module, PackedLinear) and part == "weight":
        shape: tuple[int, ...] = (module.out_features, module.in_features)
        own = _own_type(module)
        if wanted is None and own is None:
            raise QuantizationError(
                f"{published} is packed as {type(module).__name__}, which has no block type: give type="
            )
        if own is not None and wanted in (own, None):
            kind: StoredType = own
        else:
            kind = _type_of(stored, shape, wanted or "F32")
        if kind == own:
            return Pending(stored, kind, shape, lambda: _ordered(_own_blocks(module, own), width))
        return Pending(
            stored,
            kind,
            shape,
            lambda: _ordered(stored_bytes(module.dequantized(torch.float32).cpu(), kind, name=published), width),
        )
    tensor: Tensor = getattr(module, part)
    plain = next((name for name, dtype in PLAIN.items() if dtype == tensor.dtype), "F32")
    kind = _type_of(stored, tuple(tensor.shape), wanted or plain)  # type: ignore[arg-type]  # the names of PLAIN are types
    return Pending(
        stored,
        kind,
        tuple(tensor.shape),
        lambda: _ordered(stored_bytes(tensor.detach().cpu(), kind, name=published), width, list_of=tensor.dim() == 1),
    )


def _type_of(stored: str, shape: tuple[int, ...], wanted: StoredType) -> StoredType:
    if len(shape) == 1:
        return "F32"
    if packed_type(wanted) is None:
        return wanted
    if shape[-1] % BLOCK:
        return "F16"
    return "Q8_0" if stored in _ENDS else wanted


def _ordered(data: Tensor, width: int | None, *, list_of: bool = False) -> Tensor:
    """Bring rows of queries and keys into the order of the file."""
    if width is None:
        return data
    rows = data.view(-1, 4) if list_of else data
    return rotary_pairs(rows, width=width).view(data.shape)


def _own_type(layer: PackedLinear) -> PackedType | None:
    """The block type that holds a packed layer's integers as they are."""
    if not isinstance(layer, Int4Linear | GroupedInt8Linear) or layer.group_size % BLOCK:
        return None
    if isinstance(layer, GroupedInt8Linear):
        return "Q8_0"
    return "Q4_1" if layer.weight_scale_and_zero[..., 1].any() else "Q4_0"


def _own_blocks(layer: PackedLinear, kind: PackedType) -> Tensor:
    """(O, bytes of a row) of a layer that `_own_type` has a type for."""
    assert isinstance(layer, Int4Linear | GroupedInt8Linear)
    repeats = layer.group_size // BLOCK
    integers = layer.packed().cpu()
    if isinstance(layer, GroupedInt8Linear):
        return eight_bit_blocks(integers, layer.weight_scale.cpu().repeat_interleave(repeats, dim=0))
    return four_bit_blocks(integers, layer.weight_scale_and_zero.cpu().repeat_interleave(repeats, dim=0), kind)
