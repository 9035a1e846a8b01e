"""Which registered checkpoint format reads a file: by its suffix, or by its name and content. Needs no torch."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from modelry.checkpoint.reader import CheckpointReader
from modelry.errors import BrokenPlugin, CheckpointError, ConfigError, UnsafeCheckpoint
from modelry.hub import Reference, Source, resolve_reference
from modelry_registry import get_registry, resolve
from modelry_registry.known import known_plugins

if TYPE_CHECKING:
    from typing import Unpack

    from modelry.hub import HubOptions
    from modelry_registry import CheckpointFormat

PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
"""Formats that run code when they are read."""
MOST_LOOKED_AT = 16 * 2**20
"""Bytes of a config.json that are searched for a model_type; a larger one is refused where it is read."""


def format_of(path: Path) -> str:
    """Name of the format of a file: its suffix without the dot, as formats are named in the registry; or the name of a
    format that recognises what looks like a pickled file.

    Raises:
        UnsafeCheckpoint: a pickled file.
        CheckpointError: no suffix.
    """
    suffix = path.suffix.lower()
    if suffix in PICKLED:
        for spec in _claiming((path.name,)):
            if path.is_file() and _reader_of(spec).recognises(path):
                return spec.name
        raise UnsafeCheckpoint(f"{path} is a pickled file, which can run any code when it is read. {how_to_convert()}")
    if not suffix:
        raise CheckpointError(f"{path} has no suffix that says what format it is")
    return suffix[1:]


def how_to_convert() -> str:
    """What to do about a pickled checkpoint."""
    return (
        "Convert it once, in an environment that may run it: "
        "`import torch, safetensors.torch; tensors = torch.load('pytorch_model.bin', weights_only=True); "
        "safetensors.torch.save_file({k: v.clone().contiguous() for k, v in tensors.items()}, 'model.safetensors')`"
    )


def open_reader(path: Path) -> CheckpointReader:
    """Open a checkpoint file with the reader registered for its suffix.

    Raises:
        UnsafeCheckpoint, CheckpointError: a pickled or damaged file.
        RegistryError: no installed package reads this format.
    """
    return _reader_of(get_registry().get("checkpoints", format_of(path)))(path)


def carries_config(path: Path) -> bool:
    """Whether a file alone is a whole model (a .gguf file is, a .safetensors file is not)."""
    return _reader_of(get_registry().get("checkpoints", format_of(path))).carries_config


def locate(ref: Reference, **options: "Unpack[HubOptions]") -> Source:
    """Where a model is, as `modelry.hub.resolve_reference` says it; for a config.json it is the folder. Of a folder or
    repository whose config.json is of another tool it is the file that a registered format reads as a whole model, if
    there is one.

    Raises:
        NotFound, Unreachable, AccessDenied: as there.
    """
    source = resolve_reference(ref, **options)
    if source.single is not None and source.single.name == "config.json":
        source = Source(name=str(source.single.parent), folder=source.single.parent)
    if source.single is not None or _has_model_type(source):
        return source
    names = source.names()
    for spec in _claiming(names):
        for name in spec.files:
            path = source.file(name) if name in names else None
            if path is not None and _reader_of(spec).recognises(path):
                source.files(spec.companions)  # a repository's are fetched
                return Source(name=source.name, single=path, commit=source.commit)
    _refuse_another_tools(source)
    return source


def _refuse_another_tools(source: Source) -> None:
    names = source.names()
    looks_pickled = sorted(name for name in names if name.lower().endswith(PICKLED))
    absent = known_plugins().get("checkpoints", {})
    absent = {name: absent[name] for name in sorted(absent) if name not in get_registry().names("checkpoints")}
    if "config.json" in names and looks_pickled and absent:
        others = ", ".join(f"{name} (pip install {distribution})" for name, distribution in absent.items())
        raise ConfigError(
            f"{source.name}: config.json has no model_type, so {looks_pickled[0]} beside it may be another tool's "
            f"format, and none that is installed reads it. Not installed: {others}"
        )


def _has_model_type(source: Source) -> bool:
    """A look at the text alone; whoever reads the configuration checks it."""
    path = source.file("config.json", required=False)
    return path is not None and (path.stat().st_size > MOST_LOOKED_AT or b'"model_type"' in path.read_bytes())


def _claiming(names: Collection[str]) -> "Iterator[CheckpointFormat]":
    registry = get_registry()
    for name in registry.names("checkpoints"):
        try:
            spec = registry.get("checkpoints", name)
        except BrokenPlugin:  # told where its own format is asked for
            continue
        if not set(spec.files).isdisjoint(names):
            yield spec


def _reader_of(spec: "CheckpointFormat") -> type[CheckpointReader]:
    reader = resolve(spec.reader)
    if not (isinstance(reader, type) and issubclass(reader, CheckpointReader)):
        raise BrokenPlugin(f"{spec.reader}, the reader of {spec.name} files, is no CheckpointReader")
    return reader
