"""`pipeline()`: a task's name, a model, or both, to a pipeline that is ready to be called."""

import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from modelry.accelerators import best_device
from modelry.auto import (
    HEADS,
    AutoConfig,
    AutoFeatureExtractor,
    AutoImageProcessor,
    AutoProcessor,
    AutoTokenizer,
    AutoVideoProcessor,
)
from modelry.checkpoint.dtypes import DtypeLike
from modelry.checkpoint.formats import locate
from modelry.configuration import ModelConfig
from modelry.errors import ConfigError, ParameterError, UnknownName
from modelry.hub import HubOptions, Reference, Source, split_hub_options
from modelry.model import PreTrainedModel
from modelry.neighbours import NOTHING_TO_SAY
from modelry.pipelines.placement import compute_on_cpu, read_device
from modelry.pipelines.stages import Pipeline
from modelry_registry import Registry, Task, get_registry, resolve

LOADERS: Mapping[str, Any] = {
    "tokenizer": AutoTokenizer,
    "image-processor": AutoImageProcessor,
    "video-processor": AutoVideoProcessor,
    "feature-extractor": AutoFeatureExtractor,
    "processor": AutoProcessor,
}
"""Role in a task's spec to what loads it."""


OTHER_NAMES: Mapping[str, str] = {
    "sentiment-analysis": "text-classification",
    "ner": "token-classification",
    "vqa": "visual-question-answering",
}
"""What the ecosystem calls a task too, to the task's name."""

_BETWEEN_LANGUAGES = re.compile(r"(?P<task>[a-z-]+)_(?P<src_lang>[A-Za-z]+(_[A-Z]\w*)?)_to_(?P<tgt_lang>\w+)")


def pipeline(
    task: str | None = None,
    model: Reference | PreTrainedModel | None = None,
    *,
    config: ModelConfig | None = None,
    tokenizer: Any = None,
    image_processor: Any = None,
    video_processor: Any = None,
    feature_extractor: Any = None,
    processor: Any = None,
    device: int | str | torch.device | None = None,
    device_map: Any = None,
    dtype: DtypeLike | None = "auto",
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
    model_kwargs: Mapping[str, Any] | None = None,
    batch_size: int | None = None,
    **parameters: Any,
) -> Pipeline[Any]:
    """Make the pipeline of a task.

    Args:
        task: its name, which may say languages ("translation_en_to_fr"); when None, the task that the model's head was
            made for.
        model: a folder, a checkpoint file, "organisation/repository", or a model.
        config: instead of the checkpoint's own.
        tokenizer, image_processor, video_processor, feature_extractor, processor: an object, or where to load it from.
            What the task needs and is not given comes from where the model came from.
        device: "cpu", "cuda", "cuda:1", a number (-1: the CPU), or torch's. When None, a model that is loaded goes
            to the best device there is, a model that is given stays where it is.
        device_map: instead of `device`: spread the model over devices, see `from_pretrained`.
        dtype: to compute in. "auto" keeps the checkpoint's; but what is stored in float16 computes in float32 on a CPU:
            few are fast in float16. Any other is obeyed, here or in model_kwargs: dtype="float16" keeps it.
        revision, token, cache_dir, local_files_only: as in `from_pretrained`.
        model_kwargs: further arguments of `from_pretrained`: attn_implementation, quantization, subfolder …
        batch_size: items per forward pass, unless a call says otherwise; the task's own number when None.
        parameters: defaults for the task's own parameters. An assistant_model may be said by where to load it from.

    Raises:
        RegistryError: no installed package provides the task, the model's family, or a part.
        ParameterError: the arguments do not fit together, or a parameter is not the task's.
        NotFound, Unreachable, AccessDenied, ConfigError, CheckpointError, PreprocessorError: it cannot be loaded.
    """
    if model is None:
        raise ParameterError(
            f"pipeline({task!r}) needs a model: pass model= with a folder, a file, a repository or a model"
        )
    if device is not None and device_map is not None:
        raise ParameterError(f"device={device!r} and device_map={device_map!r} exclude each other")
    registry = get_registry()
    spec = None if task is None else task_named(task, parameters)
    where, model_options = split_hub_options(model_kwargs or {})
    hub: HubOptions = {**where, "token": token, "cache_dir": cache_dir, "local_files_only": local_files_only}
    if isinstance(model, PreTrainedModel):
        origin: Reference | None = model.name_or_path or None
        spec = spec or task_of(model.config, registry, type(model).__name__)
    elif isinstance(model, (str, PathLike, Source)):
        located: HubOptions = {**hub, "revision": revision}
        origin = model if isinstance(model, Source) else locate(model, **located)
        config = AutoConfig.from_pretrained(origin) if config is None else config
        spec = spec or task_of(config, registry)
        loader = HEADS[head_of(spec, config, registry)]
        neighbours = {name: parameters.pop(name) for name in NOTHING_TO_SAY & parameters.keys()}
        wanted: dict[str, Any] = {} if dtype == "auto" else {"dtype": dtype}
        loaded: PreTrainedModel = loader.from_pretrained(
            origin, config=config, device_map=device_map, **wanted, **neighbours, **model_options
        )
        model = loaded
        if device is None and device_map is None:
            device = best_device()
        said = {"dtype", "torch_dtype"} & {*wanted, *neighbours, *model_options}
        if device_map is None and not said and read_device(device).type == "cpu":
            compute_on_cpu(model)
    else:
        raise ParameterError(
            f"model is a {type(model).__name__}: pass a folder, a file, 'organisation/repository', or a modelry model"
        )
    given = {
        "tokenizer": tokenizer,
        "image-processor": image_processor,
        "video-processor": video_processor,
        "feature-extractor": feature_extractor,
        "processor": processor,
    }
    parts = {role.replace("-", "_"): load_part(role, value, origin, spec, hub) for role, value in given.items()}
    kind: Any = resolve(spec.pipeline)
    drafting = parameters.get("assistant_model")
    if isinstance(drafting, (str, PathLike, Source)):
        place = model.device if device is None else device
        beside = pipeline(spec.name, drafting, device=place, dtype=dtype, **hub)
        parameters = {"assistant_tokenizer": beside.tokenizer, **parameters, "assistant_model": beside.model}
    source = locate(origin, **hub) if isinstance(origin, str) and Path(origin).exists() else origin
    made: Pipeline[Any] = kind(
        model,
        task=spec.name,
        device=device,
        batch_size=batch_size,
        source=source if isinstance(source, Source) else None,
        **parts,
        **parameters,
    )
    return made


def task_named(task: str, parameters: dict[str, Any] | None = None) -> Task:
    """The installed task of a name, which may say languages.

    Raises:
        RegistryError: there is none.
        ParameterError: the name and `parameters` say different languages.
    """
    found: Task = get_registry().get("tasks", _plain_name(task, {} if parameters is None else parameters))
    return found


def _plain_name(task: str, parameters: dict[str, Any]) -> str:
    """The name of a task by any of its names, without languages ("translation_en_to_fr"), which become parameters."""
    pair = _BETWEEN_LANGUAGES.fullmatch(task)
    if pair is None:
        return OTHER_NAMES.get(task, task)
    for name in ("src_lang", "tgt_lang"):
        said = parameters.setdefault(name, pair[name])
        if said != pair[name]:
            raise ParameterError(f"the task {task!r} and {name}={said!r} say two things: leave one out")
    return pair["task"]


def load_part(role: str, given: Any, origin: Reference | None, spec: Task, hub: HubOptions) -> Any:
    """A preprocessor as it was given, or loaded from where it is said to be, or from where the model came from.

    Raises:
        ParameterError: the task needs it, and it is not known where it could come from.
    """
    if isinstance(given, (str, PathLike, Source)):
        return LOADERS[role].from_pretrained(given, **hub)
    if given is not None or role not in spec.preprocessors:
        return given
    if origin is None:
        raise ParameterError(
            f"{spec.name!r} needs a {role}, and the model was not loaded from anywhere: pass {role.replace('-', '_')}="
        )
    return LOADERS[role].from_pretrained(origin, **({} if isinstance(origin, Source) else hub))


def task_of(config: ModelConfig, registry: Registry, class_name: str | None = None) -> Task:
    """The installed task that prefers the head a model was saved with, or where none does, the one that runs it; of
    several, the one whose preprocessors its family has, and most of them.

    Raises:
        ConfigError: the configuration does not say which head that is.
        UnknownName: no task, or several, prefer it.
    """
    family = registry.get("models", config.model_type)
    names = [class_name] if class_name else list(config.architectures or ())
    heads = [head for head, reference in family.heads.items() if reference.partition(":")[2] in names]
    heads += [head for head in family.heads if any(one.startswith(f"{head}-") for one in heads)]  # it is a variant of
    if not heads:
        raise ConfigError(
            f"the task does not follow from the model: {', '.join(names) or 'no architecture'} is no head of "
            f"{config.model_type!r} ({', '.join(sorted(family.heads))}). Name the task: pipeline('text-generation', …)"
        )
    tasks = [registry.get("tasks", name) for name in registry.names("tasks")]
    preferring = [task for task in tasks if task.implied and task.heads and task.heads[0] in heads]
    preferring = preferring or [task for task in tasks if task.implied and set(heads) & set(task.heads)]
    fitting = [task for task in preferring if family.preprocessors.keys() >= set(task.preprocessors)]
    most = max((len(task.preprocessors) for task in fitting), default=0)
    fitting = [task for task in fitting if len(task.preprocessors) == most]  # that reads what the family is made for
    if len(fitting) != 1:
        found = ", ".join(task.name for task in fitting) or "none"
        raise UnknownName(f"the task does not follow from the head {heads[0]!r}: {found} of the installed tasks run it")
    return fitting[0]


def head_of(task: Task, config: ModelConfig, registry: Registry) -> str:
    """The head to load for a task: the one the checkpoint was saved with if the task runs it, else its first choice.

    Raises:
        ConfigError: the family has no head that the task runs.
    """
    family = registry.get("models", config.model_type)
    able = [head for head in task.heads if head in family.heads]
    if not able:
        raise ConfigError(
            f"{task.name!r} runs {' or '.join(task.heads)}; {config.model_type!r} has {', '.join(sorted(family.heads))}"
        )
    saved = [head for head in able if family.heads[head].partition(":")[2] in (config.architectures or ())]
    return (saved or able)[0]
