"""from_pretrained: from a reference to a model that is ready, every tensor mapped or placed and none left out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from modelry.allocation import keep_freed_memory
from modelry.attention_choice import Choice
from modelry.checkpoint.activations import move_activations
from modelry.checkpoint.assembly import assemble
from modelry.checkpoint.dtypes import DtypeLike, dtype_name
from modelry.checkpoint.filling import DISK
from modelry.checkpoint.formats import carries_config, format_of, locate
from modelry.checkpoint.matching import Match, only_a_head_is_packed
from modelry.checkpoint.offloading import Offloaded
from modelry.checkpoint.placement import DeviceMap
from modelry.checkpoint.preparing import Packing
from modelry.checkpoint.shards import open_checkpoint
from modelry.checkpoint.skeleton import without_values
from modelry.config_file import read_config_file, read_json_object, warn_of_other_provider
from modelry.configuration import ModelConfig
from modelry.errors import ConfigError
from modelry.hub import Reference, Source, split_hub_options
from modelry.neighbours import translated
from modelry.quantization import Quantizer, settled
from modelry.requirements import find_config_class, require_plugins
from modelry.threads import in_calling_thread
from modelry_registry import Candidate, get_registry

if TYPE_CHECKING:
    from modelry.model import PreTrainedModel

OLDER_QUANTIZATION = "quantize_config.json"
OLDER_METHOD = "gptq"
"""Whose tools wrote the file without a quant_method."""


class LoadingInfo(TypedDict):
    """How a checkpoint and the model fitted, under the ecosystem's names."""

    missing_keys: set[str]
    """Tensors of a head that the checkpoint does not have: made anew."""
    unexpected_keys: set[str]
    """Stored tensors of a head that the model does not have."""
    mismatched_keys: set[tuple[str, tuple[int, ...], tuple[int, ...]]]
    """With ignore_mismatched_sizes, those made anew for their shape: name, the stored shape, the model's."""
    error_msgs: list[str]
    """Empty: what does not fit otherwise is an error."""


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """How a model is to be loaded."""

    dtype: DtypeLike | None = "auto"
    """Of the floating tensors; "auto" or None keeps the stored one."""
    device_map: DeviceMap = None
    """None or a device for all, "auto", "balanced", "sequential", or paths of modules to devices; "disk" is one."""
    max_memory: Any = None
    """Device to the memory it may take, for device_map="auto", "balanced" and "sequential"."""
    offload_folder: str | Path | None = None
    """Where tensors are written once that are read from disk in another form than the checkpoint's."""
    quantization: Quantizer | str | dict[str, Any] | None = None
    """A scheme's name, its quantization_config, or None: as the checkpoint says."""
    attn_implementation: Choice | None = None
    """Name of an attention function, or names by part of the configuration."""
    tp_plan: str | Mapping[str, str] | None = None
    """"auto" or a plan (modelry.parallel.plan): each process of a tensor-parallel group reads its part of the model."""
    device_mesh: Any = None
    """Of the processes, for tp_plan; all that torchrun has started when None."""
    variant: str | None = None
    """Of several sets of files the one whose names carry it: "fp16" of model.fp16.safetensors."""
    ignore_mismatched_sizes: bool = False
    """Make head tensors anew whose shape is another than the checkpoint's."""


def load_pretrained(
    choose: "Callable[[ModelConfig], type[PreTrainedModel]]",
    ref: Reference,
    *,
    config_class: type[ModelConfig] | None = None,
    config: ModelConfig | None = None,
    plugin: str | None = None,
    output_loading_info: bool = False,
    **options: Any,
) -> Any:
    """Load a model in eval mode; see PreTrainedModel.from_pretrained.

    Args:
        choose: from the configuration to the model's class.
        config_class: of the class, where the caller has chosen one; else the registry says.
        plugin: the distribution that shall provide the family, where several do.
        output_loading_info: return the model and a `LoadingInfo`.
    """
    hub, rest = split_hub_options(translated(options))
    load, overrides = _split_load_options(rest)
    source = locate(ref, **hub)
    if config is not None and not isinstance(config, ModelConfig):
        raise ConfigError(f"config is a {type(config).__name__}; a ModelConfig is needed, as AutoConfig gives one")
    values, where = (config.to_dict(), source.name) if config is not None else read_config_file(source)
    stored = stored_quantization(values, source)
    quantization = load.quantization if load.quantization is not None else stored
    participants = require_plugins(
        values, where=where, quantization=quantization, attention=load.attn_implementation, plugin=plugin,
        family=config_class is None,
    )  # fmt: skip
    participants += _reader_plugin(source)
    packing = None
    if quantization is not None:
        packing = Packing(*settled(load.quantization, stored, where=where))
    if config is None:
        warn_of_other_provider(values, where=where, plugin=plugin)
        config_class = config_class or find_config_class(values, where=where, plugin=plugin)
        config = config_class.from_dict(config_class.own_part(values), where=where, **overrides)
    else:
        config = _edited(config, overrides)
    config.quantization_config = config.quantization_config or stored
    model_class = choose(config)
    hooks: Any = get_registry().hooks(participants)
    hooks.modelry_before_load(reference=source.name, config=config)
    try:
        with without_values():
            model = model_class(config)
    except RuntimeError as error:
        raise ConfigError(f"{where}: {model_class.__name__} cannot be built in these sizes: {error}") from error
    if load.attn_implementation is not None:
        model.set_attn_implementation(load.attn_implementation)
    divided, device_map = None, load.device_map
    if load.tp_plan is not None or load.device_mesh is not None:
        from modelry.parallel.loading import begin

        divided, device_map = begin(model, load, scheme=None if packing is None else packing.quantizer.method)
    with open_checkpoint(source, variant=load.variant) as checkpoint:
        if packing is not None and packing.stored and only_a_head_is_packed(model, checkpoint):
            packing = config.quantization_config = None
        assembled = assemble(
            model, checkpoint, dtype=load.dtype, device_map=device_map, max_memory=load.max_memory,
            offload_folder=None if load.offload_folder is None else Path(load.offload_folder), packing=packing,
            ignore_mismatched=load.ignore_mismatched_sizes, divided=divided,
        )  # fmt: skip
    if packing is not None:
        if packing.stored and divided is None:
            from modelry.packed.damaged_scales import refuse_damaged_scales  # other loads need none of it

            refuse_damaged_scales(model, where=source.name, after_each=assembled.release)
        with in_calling_thread():
            packing.quantizer.finish(model)
        model.hf_quantizer = packing.quantizer
        config.quantization_config = packing.quantizer.to_config()
    placement = assembled.placement
    move_activations(model, placement)
    if DISK in placement.places.values():
        model.offloaded = Offloaded(model, placement, assembled.regions)
    if load.device_map is not None:
        model.hf_device_map = placement.published()
    config.dtype = dtype_name(model.dtype)
    model.name_or_path = source.name
    _load_generation_config(model, source)
    keep_freed_memory()
    model.eval()
    hooks.modelry_after_load(model=model)
    return (model, _info(assembled.found)) if output_loading_info else model


def _info(found: Match) -> LoadingInfo:
    other = {name for name, _, _ in found.mis_shaped}
    return LoadingInfo(
        missing_keys=set(found.new) - other,
        unexpected_keys=set(found.unused),
        mismatched_keys=set(found.mis_shaped),
        error_msgs=[],
    )


def _split_load_options(options: dict[str, Any]) -> tuple[LoadOptions, dict[str, Any]]:
    names = {one.name for one in fields(LoadOptions)}
    ours = {key: value for key, value in options.items() if key in names}
    return LoadOptions(**ours), {key: value for key, value in options.items() if key not in names}


def stored_quantization(values: Mapping[str, Any], source: Source) -> Any:
    """quantization_config of a checkpoint; of older ones it is a file beside config.json."""
    said = values.get("quantization_config")
    beside = source.file(OLDER_QUANTIZATION, required=False) if said is None and source.single is None else None
    return said if beside is None else {"quant_method": OLDER_METHOD, **read_json_object(beside)}


def _reader_plugin(source: Source) -> list[Candidate]:
    name = "safetensors" if source.single is None else format_of(source.single)
    return [get_registry().provider("checkpoints", name)]


def _edited(config: ModelConfig, overrides: dict[str, Any]) -> ModelConfig:
    if not overrides:
        return config.checked()
    return type(config).from_dict(config.to_dict(), attn_implementation=config._attn_implementation, **overrides)


def _load_generation_config(model: "PreTrainedModel", source: Source) -> None:
    """Read generation_config.json when there is one; otherwise the model makes one of its configuration when asked."""
    carried = source.single is not None and carries_config(source.single)
    if carried or (source.single is None and "generation_config.json" in source.names()):
        from modelry.generation import GenerationConfig

        model.generation_config = GenerationConfig.from_pretrained(source)
