"""Where the parts of a model would lie, from its configuration and the headers of its files: nothing is loaded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from modelry.cache.sizing import cache_bytes, state_bytes
from modelry.checkpoint.dtypes import DtypeLike, dtype_name
from modelry.checkpoint.filling import Filled, Place, Way, fill
from modelry.checkpoint.formats import locate
from modelry.checkpoint.loading import stored_quantization
from modelry.checkpoint.parts import Part, blocks, parts_of
from modelry.checkpoint.placement import room_here, room_of
from modelry.checkpoint.preparing import Packing, prepare
from modelry.checkpoint.shards import INDEX, WEIGHTS, Checkpoint, open_checkpoint
from modelry.checkpoint.skeleton import without_values
from modelry.config_file import read_config_file
from modelry.errors import PlacementError, QuantizationError
from modelry.hub import Reference, Source
from modelry.quantization import settled
from modelry.requirements import find_config_class, require_plugins
from modelry_registry import get_registry, resolve

if TYPE_CHECKING:
    from modelry.model import PreTrainedModel


@dataclass(frozen=True)
class Plan:
    """A model divided over places."""

    model: str
    """Name of its class."""
    dtype: str
    """Of floating tensors."""
    quantization: str | None
    room: Mapping[Place, int | None]
    """Bytes that may be used, by place; None: any number."""
    filled: Filled

    @property
    def parts(self) -> list[Part]:
        """All parts in the model's order."""
        return [part for part, _ in self.filled.placed]

    @property
    def size(self) -> int:
        """Bytes of all tensors."""
        return sum(part.size for part in self.parts)

    @property
    def cache(self) -> int:
        """Bytes of all keys and values, and of recurrent states."""
        return sum(part.cache for part in self.parts)

    def device_map(self) -> dict[str, Place]:
        """Path of each part to its place."""
        return {path: place for part, place in self.filled.placed for path in part.paths}


def make_plan(
    ref: Reference,
    *,
    memory: Mapping[Place, str | int] | None = None,
    way: Way = "auto",
    dtype: DtypeLike | None = "auto",
    quantization: Any = None,
    context: int = 0,
    batch: int = 1,
    revision: str | None = None,
) -> Plan:
    """Place a model as `from_pretrained` would.

    Args:
        ref: a folder, a checkpoint file, a config.json alone, or a hub repository, of which only that is fetched.
        memory: bytes by place, whether these devices are here or not; this machine's when None.
        way: see `modelry.checkpoint.filling.fill`.
        dtype: "auto" is the stored one, or where there are no weights the one that the configuration names.
        quantization: a scheme's name, or its quantization_config.
        context: positions that the cache is to hold; 0: no cache.
        batch: rows of it.

    Raises:
        PlacementError: there is no room.
        NotFound, ConfigError, CheckpointError, QuantizationError, RegistryError: as when it is loaded.
    """
    room = room_here() if memory is None else room_of(memory)
    hub: Any = {} if revision is None else {"revision": revision}
    source = locate(ref, **hub)
    values, where = read_config_file(source)
    stored = stored_quantization(values, source)
    scheme = stored if quantization is None else quantization
    require_plugins(values, where=where, quantization=scheme)
    packing = None if scheme is None else Packing(*settled(quantization, stored, where=where))
    config_class = find_config_class(values, where=where)
    config = config_class.from_dict(config_class.own_part(values), where=where)
    config.quantization_config = config.quantization_config or stored
    with without_values():
        model: PreTrainedModel = _class_of(config)(config)
    with _headers(source) as checkpoint:
        try:
            prepared = prepare(model, checkpoint, dtype=dtype, packing=packing)
        except QuantizationError as error:
            if checkpoint.names():
                raise
            raise PlacementError(
                f"{where} alone does not say which layers are packed: have its weights beside it ({error})"
            ) from error
    sizes = {name: prepared.as_it_will_be(model, name).nbytes for name in prepared.expected}
    caches = _caches(model, context=context, batch=batch, dtype=prepared.wanted) if context else {}
    filled = fill(parts_of(model, sizes, prepared.tied(model), caches), room, way)
    method = None if packing is None else packing.quantizer.method
    return Plan(type(model).__name__, dtype_name(prepared.wanted), method, room, filled)


def _class_of(config: Any) -> Any:
    """The class that the checkpoint was saved from, else the one that generates, else the base model."""
    heads = get_registry().get("models", config.model_type).heads
    saved = [head for head, place in heads.items() if place.partition(":")[2] in (config.architectures or ())]
    return resolve(heads[next(one for one in (*saved, "causal-lm", "base", *heads) if one in heads)])


def _headers(source: Source) -> Checkpoint:
    """The checkpoint where it is on this machine; without tensors where it is not."""
    here = source.repository is None
    if here and (source.single is not None or {WEIGHTS, INDEX} & set(source.names())):
        return open_checkpoint(source)
    return Checkpoint({}, source.name)


def _caches(model: "PreTrainedModel", *, context: int, batch: int, dtype: torch.dtype) -> dict[str, int]:
    """Bytes by the path of each decoder layer: the last list that has as many layers as the cache.

    Raises:
        PlacementError: the model has no cache.
    """
    if not model.can_generate():
        raise PlacementError(f"{type(model).__name__} does not generate, so it has no cache: leave the context out")
    grown = cache_bytes(model.config.get_text_config(), positions=context, rows=batch, dtype=dtype)
    with without_values():
        unpacked = type(model)(model.config).to(dtype)
    sizes = [one + other for one, other in zip(grown, state_bytes(unpacked, rows=batch), strict=True)]
    whole = {path for path, _ in blocks(model)}
    lists = [
        path
        for path, part in model.named_modules()
        if isinstance(part, nn.ModuleList) and len(part) == len(sizes) and f"{path}.0" in whole
    ]
    if not lists:
        raise PlacementError(f"{type(model).__name__} has no list of {len(sizes)} layers, as its cache would have")
    return {f"{lists[-1]}.{number}": size for number, size in enumerate(sizes)}
