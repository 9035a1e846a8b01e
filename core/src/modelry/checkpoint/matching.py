"""Comparing a checkpoint with a model, by names, shapes and dtypes, before a byte of a tensor is read."""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from modelry.checkpoint.dtypes import dtype_name
from modelry.checkpoint.naming import COMPUTED, computed_names, fit_names, packed_names, table_of, unread_names
from modelry.checkpoint.shards import Checkpoint
from modelry.checkpoint.weight_table import Step
from modelry.errors import CheckpointError, ModelryWarning
from modelry.tying import tied_names, untie

if TYPE_CHECKING:
    from modelry.model import PreTrainedModel

LISTED = 20
"""Tensors named in one error; of the others the number is given."""

LONGEST_SHOWN = 200
"""Characters of one of them."""


@dataclass
class Match:
    """What is to be read, and what is left over on either side without being wrong."""

    steps: list[Step] = field(default_factory=list)
    files_name: dict[str, str] = field(default_factory=dict)
    """Name of a stored tensor in `steps` to its name in the file."""
    new: list[str] = field(default_factory=list)
    """Tensors of a head that the checkpoint does not have."""
    unused: list[str] = field(default_factory=list)
    """Stored tensors of a head that the model does not have."""
    mis_shaped: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = field(default_factory=list)
    """Of the new ones those that the checkpoint has in another shape: name, its shape, the model's."""


@dataclass
class _Wrong:
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    mis_shaped: list[str] = field(default_factory=list)
    wrong_dtype: list[str] = field(default_factory=list)


def match(
    model: "PreTrainedModel",
    checkpoint: Checkpoint,
    needed: Mapping[str, Tensor],
    *,
    untied: tuple[str, ...] = (),
    ignore_mismatched: bool = False,
) -> Match:
    """Say which stored tensors become which of the model's.

    Args:
        needed: tensors the model needs, on the meta device, by name.
        untied: prefixes of modules that keep values of their own although their weights are tied (packed ones).
        ignore_mismatched: make head tensors of another shape anew.

    Raises:
        CheckpointError: tensors are missing, unexpected, or of another shape or kind: all of them in one message.
    """
    table = table_of(model)
    fitted = fit_names(checkpoint.names(), model, table)
    found, wrong = Match(), _Wrong()
    found.files_name = {name: stored for stored, name in fitted.items() if name is not None}
    found.unused = sorted(stored for stored, name in fitted.items() if name is None)
    computed, tied, unread = computed_names(model), tied_names(model), unread_names(model)
    steps = table.reading(found.files_name, packed=packed_names(needed))
    stored = {
        step.ours[0]: found.files_name[step.stored[0]] for step in steps if len(step.stored) == len(step.ours) == 1
    }
    if not untied:
        tied = _untied_where_apart(model, checkpoint, stored, tied)
    for step in steps:
        step = _to_the_tied(step, tied, stored)
        if not any(name in needed for name in step.ours):
            if step.ours and not set(step.ours) <= computed and not _needless(step, unread):
                (found.unused if of_a_head(model, step.ours[0]) else wrong.unexpected).extend(step.stored)
            continue
        if all(name in tied and tied[name] in stored for name in step.ours) and not untied:
            continue
        mis_shaped = list(_wrong_shapes(step, checkpoint, found.files_name, needed))
        if mis_shaped and ignore_mismatched and all(of_a_head(model, name) for name in step.ours):
            found.mis_shaped += _shapes(step, checkpoint, found.files_name, needed)
            continue
        wrong.mis_shaped += mis_shaped
        wrong.wrong_dtype += _wrong_dtypes(step, checkpoint, found.files_name, needed)
        found.steps.append(step)
    provided = {name: step for step in found.steps for name in step.ours}
    for name in sorted(needed.keys() - provided.keys()):
        source = tied.get(name)
        if source in provided:
            if name.startswith(untied or ("\0",)):
                found.steps.append(Step(provided[source].stored, (name,), provided[source].row))
        elif source in needed:
            continue  # it is what becomes of the other
        elif of_a_head(model, name):
            found.new.append(name)
        else:
            wrong.missing.append(name)
    if found.unused and not found.new and model.base_model is not model:
        wrong.unexpected += [name for name in found.unused if not _is_optional(model, name)]
    _refuse(wrong, checkpoint.where, type(model).__name__)
    return found


def only_a_head_is_packed(model: "PreTrainedModel", checkpoint: Checkpoint) -> bool:
    """Whether a packed checkpoint has all of this model as a float one has it: packed is a head that this one lacks."""
    table, needed, modules = table_of(model), model.state_dict(keep_vars=True), dict(model.named_modules())
    fitted = fit_names(checkpoint.names(), model, table)
    files_name = {name: stored for stored, name in fitted.items() if name is not None}
    steps = [step for step in table.reading(files_name) if needed.keys() & step.ours]
    read = {files_name[name] for step in steps for name in step.stored}
    packed = [name for name, one in fitted.items() if name not in read and not _is_wide(checkpoint.info(name).dtype)]
    layers = {name.rpartition(".")[0] for stored in packed if (name := fitted[stored]) is not None}
    if not packed or layers & modules.keys():
        return False
    tied, provided = tied_names(model), {name for step in steps for name in step.ours}
    return all(name in tied or name in provided or of_a_head(model, name) for name in needed) and not any(
        problem
        for step in steps
        for wrong in (_wrong_shapes, _wrong_dtypes)
        for problem in wrong(step, checkpoint, files_name, needed)
    )


def _is_wide(dtype: str) -> bool:
    """Whether numbers of it are no packed ones."""
    found: torch.dtype = getattr(torch, dtype)
    return found.is_floating_point and found.itemsize > 1


def _needless(step: Step, unread: tuple[str, ...]) -> bool:
    """Whether the stored tensor is computed from the configuration, or of a side of the family that this is not."""
    return step.stored[0].endswith(COMPUTED) or step.ours[0].startswith(unread or ("\0",))


def _untied_where_apart(
    model: "PreTrainedModel", checkpoint: Checkpoint, stored: Mapping[str, str], tied: dict[str, str]
) -> dict[str, str]:
    """Believe the tensors where a checkpoint keeps both of two tied ones with different values, and warn.

    Its configuration says that they are one, as that of somebody who trained them apart may; dropping either would
    silently be another model. The configuration is set right.

    Args:
        stored: the model's tensors that the checkpoint has, each to its name there.

    Raises:
        CheckpointError: others that are tied to the same one have no values then.
    """
    apart = []
    always = {name for name, _ in _always_one(model)}
    for name, source in tied.items():
        if name in stored and source in stored and name not in always:
            one, other = stored[name], stored[source]
            if not checkpoint.read(one).equal(checkpoint.read(other)):
                apart.append(name)
            checkpoint.release(one)
            checkpoint.release(other)
    if not apart:
        return tied
    left = sorted(name for name in tied if name not in stored and name not in always)
    if left:
        raise CheckpointError(
            f"{checkpoint.where} says tie_word_embeddings, and keeps {', '.join(apart)} with values of its own, but no "
            f"{', '.join(left)}: it is neither tied nor complete"
        )
    warnings.warn(
        f"{checkpoint.where} says tie_word_embeddings, and keeps {', '.join(apart)} with values of its own: not tied",
        ModelryWarning,
        stacklevel=6,
    )
    untie(model)
    return {name: source for name, source in tied_names(model).items() if name not in apart}


def _always_one(model: "PreTrainedModel") -> Iterator[tuple[str, str]]:
    """Parameters that are one whatever the configuration says, and those that they are."""
    from modelry.model import PreTrainedModel

    for path, part in model.named_modules():
        if isinstance(part, PreTrainedModel):
            under = f"{path}." if path else ""
            yield from ((under + name, under + source) for name, source in part.shared_weights.items())


def _to_the_tied(step: Step, tied: Mapping[str, str], stored: Mapping[str, str]) -> Step:
    """A checkpoint may have kept the other one of two tied tensors."""
    if len(step.ours) == 1 and step.ours[0] in tied and tied[step.ours[0]] not in stored:
        return Step(step.stored, (tied[step.ours[0]],), step.row)
    return step


def of_a_head(model: "PreTrainedModel", name: str) -> bool:
    """Whether a name is outside the base model, or of a part of it that only some of the family's heads have."""
    base: Any = model.base_model
    if base is not model and not name.startswith(f"{model.base_model_prefix}."):
        return True
    if base is not model and getattr(base, "base_model", base) is not base:  # a head over a head
        return of_a_head(base, name.removeprefix(f"{model.base_model_prefix}."))
    return _is_optional(model, name)


def _is_optional(model: "PreTrainedModel", name: str) -> bool:
    """Whether only some of the family's heads have this part of the base model."""
    parts: tuple[str, ...] = getattr(model.base_model, "optional_parts", ())
    return name.removeprefix(f"{model.base_model_prefix}.").startswith(parts or ("\0",))


def _as_read(step: Step, checkpoint: Checkpoint, files_name: Mapping[str, str]) -> list[Tensor]:
    """The tensors a step gives, without values."""
    infos = [checkpoint.info(files_name[name]) for name in step.stored]
    stored = [torch.empty(info.shape, dtype=getattr(torch, info.dtype), device="meta") for info in infos]
    return list(step.row.read(stored))


def _wrong_shapes(
    step: Step, checkpoint: Checkpoint, files_name: Mapping[str, str], needed: Mapping[str, Tensor]
) -> Iterator[str]:
    try:
        tensors = _as_read(step, checkpoint, files_name)
    except (CheckpointError, RuntimeError, IndexError) as error:
        yield f"{', '.join(step.stored)}: {error}"
        return
    for name, tensor in zip(step.ours, tensors, strict=True):
        if name not in needed:
            yield f"{name}, which the model does not have, is part of {step.stored[0]}"
        elif tensor.shape != needed[name].shape:
            yield f"{name}: {tuple(tensor.shape)} in the checkpoint, {tuple(needed[name].shape)} in the model"


def _shapes(
    step: Step, checkpoint: Checkpoint, files_name: Mapping[str, str], needed: Mapping[str, Tensor]
) -> Iterator[tuple[str, tuple[int, ...], tuple[int, ...]]]:
    stored = tuple(checkpoint.info(files_name[step.stored[0]]).shape)
    for name in needed.keys() & step.ours:
        yield name, stored, tuple(needed[name].shape)


def _wrong_dtypes(
    step: Step, checkpoint: Checkpoint, files_name: Mapping[str, str], needed: Mapping[str, Tensor]
) -> Iterator[str]:
    for name in step.stored:
        stored: torch.dtype = getattr(torch, checkpoint.info(files_name[name]).dtype)
        model = next(needed[one].dtype for one in step.ours if one in needed)
        both_float = stored.is_floating_point and model.is_floating_point and (stored.itemsize > 1 or stored == model)
        if not both_float and stored != model:
            yield f"{name}: {dtype_name(stored)} in the checkpoint, {dtype_name(model)} in the model"


def _refuse(wrong: _Wrong, where: str, model: str) -> None:
    parts = [
        (wrong.missing, "missing", ""),
        (wrong.unexpected, "not in the model", ""),
        (wrong.mis_shaped, "of another shape", ""),
        (wrong.wrong_dtype, "of another kind", " (quantized without a quantization_config?)"),
    ]
    said = [f"{len(names)} tensors are {what}{hint}: {_some(names)}" for names, what, hint in parts if names]
    if said:
        raise CheckpointError(f"{where} does not fit {model}: " + ". ".join(said))


def _some(names: list[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(map(_shown, names[:LISTED])) + more


def _shown(name: str) -> str:
    """What a file says, safe for a terminal."""
    name = name if len(name) <= LONGEST_SHOWN else f"{name[:LONGEST_SHOWN]}..."
    return name if name.isprintable() else ascii(name)
