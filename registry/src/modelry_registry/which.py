"""Which plugins would serve a checkpoint: from its config.json alone, without torch and without loading it."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from modelry_registry.errors import (
    AmbiguousName,
    BrokenPlugin,
    DisabledPlugin,
    IncompatiblePlugin,
    MissingPlugin,
    RegistryError,
    UnknownName,
)
from modelry_registry.naming import described, quoted
from modelry_registry.registry import Registry
from modelry_registry.specs import ModelFamily

_REPOSITORY = re.compile(r"[\w.-]{1,96}(/[\w.-]{1,96})?", re.ASCII)
_LARGEST_CONFIG = 16 * 2**20  # bytes; real ones are a few kB

_STATUS = {
    MissingPlugin: "missing",
    UnknownName: "unknown",
    DisabledPlugin: "disabled",
    AmbiguousName: "ambiguous",
    IncompatiblePlugin: "incompatible",
    BrokenPlugin: "broken",
}


@dataclass(frozen=True, kw_only=True)
class Need:
    """One name that a checkpoint asks for, and who serves it."""

    kind: str
    name: str
    status: str
    """ok, missing, unknown, disabled, ambiguous, incompatible or broken."""
    distribution: str = ""
    version: str = ""
    message: str = ""
    """What is wrong and what to do; for a model family that is fine, the head that its architectures name."""
    install: tuple[str, ...] = ()


def which(registry: Registry, reference: str, *, revision: str | None = None) -> list[Need]:
    """What a folder, a checkpoint file or a hub repository needs, and who provides it.

    Raises:
        RegistryError: the reference does not exist, or its config.json cannot be read or names no model_type.
    """
    path = Path(os.path.expanduser(reference))
    if os.path.isfile(path) and path.suffix != ".json":  # Path.is_file raises where the name is too long
        return [_need(registry, "checkpoints", path.suffix.removeprefix("."), reference)]
    file = _config_file(path, reference, revision)
    config = _read(file)
    if config.get("model_type") is None:
        raise RegistryError(f"{file} has no model_type, so nothing says which family it is")
    needs = [_need(registry, "models", config["model_type"], str(file), config.get("architectures"))]
    quantization = config.get("quantization_config")
    if isinstance(quantization, dict):
        needs.append(_need(registry, "quantizers", quantization.get("quant_method"), str(file)))
    return needs


def _need(registry: Registry, kind: str, name: object, asked_by: str, architectures: object = None) -> Need:
    shown = name if isinstance(name, str) and len(name) <= 64 and name.isprintable() else quoted(name)
    try:
        registry.require([(kind, name)], asked_by=asked_by)  # type: ignore[list-item]  # checked there
        provider = registry.provider(kind, shown)
    except RegistryError as error:
        install = error.distributions if isinstance(error, MissingPlugin) else ()
        return Need(kind=kind, name=shown, status=_STATUS[type(error)], message=str(error), install=install)
    status, message = "ok", ""
    try:
        spec = registry.spec(provider)
        if isinstance(spec, ModelFamily):
            message = _heads(spec, architectures)
    except BrokenPlugin as error:
        status, message = "broken", str(error)
    return Need(
        kind=kind,
        name=shown,
        status=status,
        distribution=provider.distribution,
        version=provider.version,
        message=message,
    )


def _heads(family: ModelFamily, architectures: object) -> str:
    """Which head each published architecture is: "LlamaForCausalLM is its head causal-lm"."""
    if not isinstance(architectures, list):
        return ""
    heads = {reference.partition(":")[2]: head for head, reference in family.heads.items()}
    known = [f"{name} is its head {heads[name]}" for name in architectures if isinstance(name, str) and name in heads]
    absent = [quoted(name) for name in architectures if not isinstance(name, str) or name not in heads]
    return "; ".join(known + [f"it has no head {name}" for name in absent[:8]])


def _config_file(path: Path, reference: str, revision: str | None) -> Path:
    if os.path.isfile(path):
        return path
    if reference and os.path.isdir(path):
        file = path / "config.json"
        if not file.is_file():
            whole = sorted(one.name for one in path.glob("*.gguf"))
            hint = f"; ask about its {whole[0]}" if whole else ""
            raise RegistryError(f"{path} has no config.json{hint}")
        return file
    if not _REPOSITORY.fullmatch(reference) or reference.startswith("."):
        raise RegistryError(f"{quoted(reference)} is neither a folder or file here nor the name of a hub repository")
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise RegistryError(
            f"there is no folder {quoted(reference)}, and to look on the hub needs huggingface_hub, which is not "
            "installed. Run: pip install 'modelry-registry[hub]'"
        ) from error
    try:
        return Path(hf_hub_download(reference, "config.json", revision=revision))
    except Exception as error:
        raise RegistryError(f"config.json of {reference} cannot be fetched: {described(error)}") from error


def _read(file: Path) -> Mapping[str, object]:
    try:
        if file.stat().st_size > _LARGEST_CONFIG:
            raise RegistryError(f"{file} has {file.stat().st_size} bytes; a config.json has a few thousand")
        config = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise RegistryError(f"{file} cannot be read as JSON: {described(error)}") from error
    if not isinstance(config, dict):
        raise RegistryError(f"{file} holds {quoted(config)}, not a JSON object")
    return config
