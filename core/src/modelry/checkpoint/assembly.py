"""Filling a model that stands on the meta device with the tensors of a checkpoint.

Tensors are assigned one by one. One that changes dtype, layout or device gives its mapped memory back at once, so that
only the result stays in memory.
"""

import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from modelry.checkpoint import new_parts
from modelry.checkpoint.disk_rooms import rooms_on_disk, staying
from modelry.checkpoint.dtypes import DtypeLike
from modelry.checkpoint.filling import DISK
from modelry.checkpoint.matching import Match, match
from modelry.checkpoint.placement import DeviceMap, Placement, place
from modelry.checkpoint.preparing import Packing, prepare
from modelry.checkpoint.regions import Region
from modelry.checkpoint.shards import Checkpoint
from modelry.errors import CheckpointError, ModelryWarning, QuantizationError
from modelry.quantization import Quantizer
from modelry.threads import in_calling_thread

if TYPE_CHECKING:
    from modelry.model import PreTrainedModel
    from modelry.parallel.loading import OwnParts


@dataclass(frozen=True)
class Assembled:
    """Where everything is, and how it fitted."""

    found: Match
    placement: Placement
    regions: Mapping[int, Region]
    """Address of each tensor that is read from disk to where it lies in its file."""

    def release(self, tensor: Tensor) -> None:
        """Give back the memory of a tensor that lies on disk, after it was looked at."""
        region = self.regions.get(tensor.data_ptr())
        if region is not None:
            region.release()


def assemble(
    model: "PreTrainedModel",
    checkpoint: Checkpoint,
    *,
    dtype: DtypeLike | None = "auto",
    device_map: DeviceMap = None,
    max_memory: Mapping[Any, str | int] | None = None,
    offload_folder: Path | None = None,
    packing: Packing | None = None,
    ignore_mismatched: bool = False,
    divided: "OwnParts | None" = None,
) -> Assembled:
    """Give every parameter and buffer of a model its stored value.

    Args:
        model: built on the meta device.
        dtype: of floating tensors; "auto" or None: the one that most of them are stored in.
        offload_folder: for tensors that stay on disk in another form than the checkpoint's.
        ignore_mismatched: make head tensors of another shape anew.
        divided: of a model that is divided over processes: what reads this one's parts.

    Raises:
        CheckpointError: missing, unexpected or mis-shaped tensors, all in one message.
        PlacementError: it does not fit on the devices.
        QuantizationError: the scheme cannot do this model, or packs what the model does not have.
    """
    prepared = prepare(model, checkpoint, dtype=dtype, packing=packing)
    packs = packing is not None and not packing.stored
    found = match(model, checkpoint, prepared.needed, untied=prepared.packed, ignore_mismatched=ignore_mismatched)
    prepared = prepared.without_new_layers(model, found)
    expected, packed, wanted = prepared.expected, prepared.packed, prepared.wanted
    tied = prepared.tied(model)
    sizes = {name: prepared.as_it_will_be(model, name).nbytes for name in expected}
    placement = place(model, device_map, sizes, max_memory, tied)
    if packing is not None:  # packed for the CPU's kernels, what lies on disk is computed there
        placement = replace(placement, main=torch.device("cpu"))
    on_disk = {
        name: prepared.as_it_will_be(model, name)
        for name in expected
        if placement.place_of(name) == DISK and tied.get(name) not in expected and name not in found.new
    }
    changed = packed if packing is not None and packing.edits else ()
    files = staying(found, checkpoint, {n: t for n, t in on_disk.items() if not n.startswith(changed or ("\0",))})
    written = {name: tensor for name, tensor in on_disk.items() if name not in files}
    disk_rooms = rooms_on_disk(model, written, offload_folder)
    regions = {room.data_ptr(): region for room, region in disk_rooms.values()}
    new = {name for name in expected if prepared.is_packed(name)}
    rooms = _rooms(expected, new, placement, but=disk_rooms) if packs else {}
    rooms.update({name: room for name, (room, _) in disk_rooms.items()})
    for step in found.steps:
        files_names = [found.files_name[name] for name in step.stored]
        if packing is not None and packs and len(step.ours) == 1 and step.ours[0].startswith(packed):
            with in_calling_thread():
                taken = packing.quantizer.take(step.ours[0], files_names[0], checkpoint)
                if taken is not None:
                    taken = _into_rooms(packing.quantizer, step.ours[0], taken, expected, rooms)
            if taken is not None:
                for part_name, part in taken.items():
                    _assign(model, part_name, part, regions)
                checkpoint.release(files_names[0])
                continue
        stored = [checkpoint.read(name) for name in files_names]
        in_use = False
        read = step.row.read(stored) if divided is None else divided.read(step, stored)
        for name, tensor in zip(step.ours, read, strict=True):
            device = placement.device_of(name)
            parts: Mapping[str, Tensor] | None = None
            if packing is not None and packs and name.startswith(packed):
                parts = _packed(packing.quantizer, name, tensor.to(device), expected, rooms)
            if parts is None and name in rooms:
                parts = {name: rooms.pop(name).copy_(tensor)}
            elif parts is None:
                if packing is not None and packing.stored and name.startswith(packed):
                    from modelry.packed.int8_linear import aligned  # other loads need none of it

                    parts = {name: tensor if name in files else aligned(tensor.to(device))}
                else:
                    parts = {name: tensor.to(device, prepared.as_it_will_be(model, name).dtype)}
            for part_name, part in parts.items():
                if part_name in files:
                    regions[part.data_ptr()] = files[part_name]
                _assign(model, part_name, part if divided is None else divided.whole(part_name, part), regions)
                in_use = in_use or any(_same_memory(part, one) for one in stored)
        del stored, read, tensor, parts, part
        if not in_use:
            for name in files_names:
                checkpoint.release(name)
    model.tie_weights()
    if found.new:
        new_parts.make(model, found.new, dtype=wanted, placement=placement)
        if divided is not None:
            divided.divide_new(model, found.new)
        model.tie_weights()
    _move_computed(model, placement)
    _check_whole(model, packing)
    _warn(model, found, checkpoint.where)
    return Assembled(found, placement, regions)


def _rooms(
    expected: Mapping[str, Tensor], packed: Collection[str], placement: Placement, *, but: Collection[str]
) -> dict[str, Tensor]:
    """Memory for every packed tensor, taken before the first is packed; pages that nobody has written cost nothing.

    A tensor packed and kept between two large intermediate results would pin the C library's heap at its height:
    a model packed while loading then grew by up to its float size.
    """
    return {
        name: torch.empty(tensor.shape, dtype=tensor.dtype, device=placement.device_of(name))
        for name, tensor in expected.items()
        if name in packed and name not in but
    }


def _packed(
    quantizer: Quantizer,
    name: str,
    tensor: Tensor,
    expected: Mapping[str, Tensor],
    rooms: dict[str, Tensor],
) -> Mapping[str, Tensor] | None:
    parts = quantizer.pack(name, tensor)
    if parts is None and name not in expected:
        raise QuantizationError(f"{quantizer.method} has replaced the layer of {name} and does not pack it")
    return None if parts is None else _into_rooms(quantizer, name, parts, expected, rooms)


def _into_rooms(
    quantizer: Quantizer,
    name: str,
    parts: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    rooms: dict[str, Tensor],
) -> Mapping[str, Tensor]:
    for part_name, part in parts.items():
        wanted = expected.get(part_name)
        if wanted is None or wanted.shape != part.shape or wanted.dtype != part.dtype:
            model = "nothing" if wanted is None else f"{tuple(wanted.shape)} of {wanted.dtype}"
            raise QuantizationError(
                f"{quantizer.method} packs {name} into {part_name}, {tuple(part.shape)} of {part.dtype}, "
                f"where the model has {model}"
            )
    return {part_name: rooms.pop(part_name).copy_(part) for part_name, part in parts.items()}


def _same_memory(one: Tensor, other: Tensor) -> bool:
    return one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr() and one.device == other.device


def _assign(model: nn.Module, name: str, tensor: Tensor, regions: Mapping[int, Region]) -> None:
    """Give a tensor of the model its value; what stays on disk takes no memory until it is used."""
    module, attribute = _owner(model, name)
    region = regions.get(tensor.data_ptr())
    if region is not None:
        region.release()
    if attribute in module._parameters:
        old = module._parameters[attribute]
        trained = tensor.is_floating_point() and (old is None or old.requires_grad)
        module._parameters[attribute] = nn.Parameter(tensor, requires_grad=trained)
    else:
        module._buffers[attribute] = tensor


def _owner(model: nn.Module, name: str) -> tuple[nn.Module, str]:
    """The module of a tensor and its name there, which may have dots: published ones do ("weight.absmax")."""
    path, _, attribute = name.rpartition(".")
    while True:
        try:
            return model.get_submodule(path), attribute
        except AttributeError:
            path, _, more = path.rpartition(".")
            attribute = f"{more}.{attribute}"


def _move_computed(model: nn.Module, placement: Placement) -> None:
    """Bring buffers that are never stored to where their module is."""
    for path, module in model.named_modules():
        for name in module._non_persistent_buffers_set:
            buffer = module._buffers[name]
            if buffer is not None and not buffer.is_meta:
                module._buffers[name] = buffer.to(placement.device_of(f"{path}.{name}" if path else name))


def _check_whole(model: nn.Module, packing: Packing | None) -> None:
    """Nothing may be left on the meta device: it would only show when the model runs."""
    left = [name for name, tensor in (*model.named_parameters(), *model.named_buffers()) if tensor.is_meta]
    if left and packing is not None:
        raise QuantizationError(f"{packing.quantizer.method} left {', '.join(left[:5])} without values")
    if left:
        raise CheckpointError(
            f"{type(model).__name__} has no values for {', '.join(left[:5])}: "
            'a buffer that is never stored has to be made with device="cpu"'
        )


def _warn(model: nn.Module, found: Match, where: str) -> None:
    if not found.new:
        return
    unused = f"; the checkpoint's {', '.join(found.unused[:10])} is not used" if found.unused else ""
    warnings.warn(
        f"{where} has no {', '.join(found.new[:10])}{' and more' if len(found.new) > 10 else ''}: made anew for "
        f"{type(model).__name__}, to be trained before use{unused}",
        ModelryWarning,
        stacklevel=5,
    )
