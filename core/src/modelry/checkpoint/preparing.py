"""Which tensors a model will have, before one is read: its layers replaced by packed ones, and in which dtypes."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from modelry.checkpoint.dtypes import DtypeLike, as_dtype, as_float_dtype
from modelry.checkpoint.matching import Match
from modelry.checkpoint.naming import sources_in
from modelry.checkpoint.shards import Checkpoint
from modelry.checkpoint.skeleton import without_values
from modelry.errors import QuantizationError
from modelry.float32_parameters import kept_in_float32
from modelry.quantization import Quantizer
from modelry.tying import tied_names

if TYPE_CHECKING:
    from modelry.model import PreTrainedModel


@dataclass(frozen=True)
class Packing:
    """How a model's quantizer takes part."""

    quantizer: Quantizer
    stored: bool
    """The checkpoint was saved packed: its tensors have the packed layers' names and bits."""

    @property
    def edits(self) -> bool:
        """Whether tensors change when all of them have arrived, so that a file's bits are not the last word."""
        return type(self.quantizer).finish is not Quantizer.finish


@dataclass(frozen=True)
class Prepared:
    """What a model will have."""

    wanted: torch.dtype
    """Of floating tensors."""
    packed: tuple[str, ...]
    """Beginnings of the names of packed layers' tensors."""
    expected: Mapping[str, Tensor]
    """The model's tensors, without values, by name."""
    needed: Mapping[str, Tensor]
    """Those that a checkpoint has to provide: float ones in place of those that will be packed."""
    replaced: Mapping[str, nn.Module | None] = field(default_factory=dict)
    """Path of a packed layer to what was there before it."""

    def as_it_will_be(self, model: "PreTrainedModel", name: str) -> Tensor:
        """A tensor of the model in its shape and dtype, without values."""
        tensor = self.expected[name] if name in self.expected else self.needed[name]
        dtype = tensor.dtype
        if dtype.is_floating_point and not self.is_packed(name):
            dtype = torch.float32 if name in model.kept_float32 else self.wanted
        return torch.empty(tensor.shape, dtype=dtype, device="meta")

    def is_packed(self, name: str) -> bool:
        """Whether a tensor has the dtype that its scheme gives it. A bias that a packed layer keeps has not."""
        if not name.startswith(self.packed or ("\0",)):
            return False
        before, after = self.needed.get(name), self.expected.get(name)
        return self.needed is self.expected or before is None or after is None or before.dtype != after.dtype

    def tied(self, model: "PreTrainedModel") -> dict[str, str]:
        """Tensor to the one it is; packed ones have values of their own."""
        known = tied_names(model).items()
        return {name: source for name, source in known if not name.startswith(self.packed or ("\0",))}

    def without_new_layers(self, model: "PreTrainedModel", found: Match) -> "Prepared":
        """The same with those packed layers of the model as they were before of which the checkpoint has nothing: they
        are made anew, where a packed one could not be made. `found.new` then has their names."""
        new, apart = set(found.new), dict[str, nn.Module]()
        for path, layer in self.replaced.items():
            own = {name for name in self.needed if name.startswith(f"{path}.")}
            if layer is not None and own and own <= new:
                apart[path] = layer
                new -= own
        if not apart:
            return self
        for path, layer in apart.items():
            model.set_submodule(path, layer)
        gone = tuple(f"{path}." for path in apart)
        back = {name: one for name, one in model.state_dict(keep_vars=True).items() if name.startswith(gone)}
        found.new[:] = sorted(new | back.keys())
        expected, needed = (
            {**{name: one for name, one in tensors.items() if not name.startswith(gone)}, **back}
            for tensors in (self.expected, self.needed)
        )
        return replace(
            self,
            packed=tuple(prefix for prefix in self.packed if prefix not in gone),
            expected=expected,
            needed=expected if self.needed is self.expected else needed,
            replaced={path: layer for path, layer in self.replaced.items() if path not in apart},
        )


def prepare(
    model: "PreTrainedModel", checkpoint: Checkpoint, *, dtype: DtypeLike | None, packing: Packing | None
) -> Prepared:
    """Find out which tensors a model will have, and have its layers replaced, before a tensor is read.

    Raises:
        QuantizationError: the scheme cannot do this model.
    """
    if packing is not None:
        from modelry.nn.separate_experts import separate_experts  # other loads need none of it

        separate_experts(model)  # schemes replace linear layers
    needed = model.state_dict(keep_vars=True)
    wanted = _wanted_dtype(model, checkpoint, dtype, packed=packing is not None and packing.stored)
    replaced: dict[str, nn.Module | None] = {}
    model.kept_float32 = kept = kept_in_float32(model, needed, wanted)
    if kept and packing is not None and packing.stored and not _stored_as_float(checkpoint, kept):
        model.kept_float32 = frozenset()
    if packing is not None:
        packing.quantizer.begin(checkpoint, wanted)
        replaced = _swap(model, packing.quantizer)
    packed = tuple(f"{path}." for path in replaced)
    expected = model.state_dict(keep_vars=True)
    if packing is not None and packing.stored:
        expected = needed = _in_stored_dtypes(model, checkpoint, expected, packed)
    elif packing is not None:
        needed = _as_float(expected, needed, packed)
    return Prepared(wanted, packed, expected, needed, replaced)


def _in_stored_dtypes(
    model: "PreTrainedModel", checkpoint: Checkpoint, expected: Mapping[str, Tensor], packed: tuple[str, ...]
) -> dict[str, Tensor]:
    """A model's tensors, without values. Those of packed layers stay as they are stored: scales may be of any floating
    dtype, and room for them on disk is to hold their bits."""
    found = dict(expected)
    for name, stored in sources_in(model, checkpoint.names()).items():
        dtype: torch.dtype = getattr(torch, checkpoint.info(stored).dtype)
        ours = found.get(name) if name.startswith(packed) else None
        if ours is not None and all(one.is_floating_point and one.itemsize > 1 for one in (dtype, ours.dtype)):
            found[name] = nn.Parameter(ours.to(dtype)) if isinstance(ours, nn.Parameter) else ours.to(dtype)
    return found


def _stored_as_float(checkpoint: Checkpoint, names: Collection[str]) -> bool:
    """Whether a packed checkpoint has left any of these as it was. It may be of another head, so ends are compared."""
    ends = tuple(name.split(".", 1)[-1] for name in names)
    return any(name.endswith(ends) and "float" in checkpoint.info(name).dtype for name in checkpoint.names())


def _swap(model: "PreTrainedModel", quantizer: Quantizer) -> dict[str, nn.Module | None]:
    """Let the quantizer replace modules; returns the path of each that it did, and what was there."""
    quantizer.check(model)
    before = dict(model.named_modules())
    with without_values():
        quantizer.swap(model)
    replaced = {path: before.get(path) for path, part in model.named_modules() if part is not before.get(path)}
    if not replaced:
        raise QuantizationError(f"{quantizer.method} found nothing to quantize in {type(model).__name__}")
    return replaced


def _as_float(
    expected: Mapping[str, Tensor], before: Mapping[str, Tensor], packed: tuple[str, ...]
) -> dict[str, Tensor]:
    """What a float checkpoint has to provide: in place of packed tensors those they are made of."""
    rest = {name: tensor for name, tensor in expected.items() if not name.startswith(packed)}
    return {**rest, **{name: tensor for name, tensor in before.items() if name.startswith(packed)}}


def _wanted_dtype(
    model: "PreTrainedModel", checkpoint: Checkpoint, dtype: DtypeLike | None, *, packed: bool
) -> torch.dtype:
    if dtype is not None and dtype != "auto":
        return as_float_dtype(dtype)
    if packed and model.config.dtype is not None:  # most floating tensors may be scales, which say nothing
        return as_float_dtype(model.config.dtype)
    stored: Counter[str] = Counter()
    for name in checkpoint.names():
        info = checkpoint.info(name)
        if info.dtype in ("float64", "float32", "float16", "bfloat16"):
            stored[info.dtype] += prod(info.shape)
    most = stored.most_common(1)
    return as_dtype(most[0][0] if most else model.config.dtype) or torch.float32
