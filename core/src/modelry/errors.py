"""Every error of the kernel, in one tree. A caller who catches ModelryError catches all that Modelry raises on purpose.

ModelryError
├── RegistryError                       which plugin (modelry_registry)
│   ├── UnknownName, MissingPlugin, DisabledPlugin, IncompatiblePlugin, AmbiguousName, BrokenPlugin
├── NotFound            FileNotFoundError   folder, file, repository or revision does not exist
├── Unreachable         OSError             the hub does not answer, or we are offline and the cache lacks the file
├── AccessDenied        PermissionError     the hub wants a (different) token
├── UnsafeAddress       ValueError          a URL that is never fetched: its scheme, or an address of our own network
├── ConfigError         ValueError          config.json: invalid JSON, no model_type, impossible values
├── CheckpointError     ValueError          truncated or lying file; missing, unexpected, mis-shaped tensors
│   └── UnsafeCheckpoint                    only pickled files, or an index that points outside its folder
├── PlacementError      ValueError          the model does not fit on the devices, or device_map is incomplete
├── ParallelError       ValueError          a model cannot be divided over processes: no plan, numbers that do not fit
├── QuantizationError   ValueError          a scheme cannot quantize this model, or its parameters are wrong
├── PreprocessorError   ValueError          tokenizer or processor files missing or invalid; wrong inputs
│   └── TemplateError                       a chat template fails, escapes or loops
├── GenerationError     ValueError          empty or too long prompt, ids out of range, NaN logits
├── OutOfMemory         MemoryError         the device's memory ran out while generating
├── ParameterError      ValueError          a task has no such keyword, or its value is impossible
└── PipelineError                           names the item that failed
ModelryWarning          UserWarning         all our warnings
"""

from modelry_registry import (
    AmbiguousName,
    BrokenPlugin,
    DisabledPlugin,
    IncompatiblePlugin,
    MissingPlugin,
    ModelryError,
    RegistryError,
    UnknownName,
)

__all__ = [
    "AccessDenied",
    "AmbiguousName",
    "BrokenPlugin",
    "CheckpointError",
    "ConfigError",
    "DisabledPlugin",
    "GenerationError",
    "IncompatiblePlugin",
    "MissingPlugin",
    "ModelryError",
    "ModelryWarning",
    "NotFound",
    "OutOfMemory",
    "ParallelError",
    "ParameterError",
    "PipelineError",
    "PlacementError",
    "PreprocessorError",
    "QuantizationError",
    "RegistryError",
    "TemplateError",
    "UnknownName",
    "Unreachable",
    "UnsafeAddress",
    "UnsafeCheckpoint",
]


class NotFound(ModelryError, FileNotFoundError):
    """A folder, file, repository or revision does not exist."""


class Unreachable(ModelryError, OSError):
    """The hub does not answer, or no request is allowed and the cache lacks the file."""


class AccessDenied(ModelryError, PermissionError):
    """The hub asks for a token, or for another one."""


class UnsafeAddress(ModelryError, ValueError):
    """A URL that is never fetched: not http(s), with credentials, or leading into our own network."""


class ConfigError(ModelryError, ValueError):
    """A configuration that cannot be: invalid JSON, no model_type, impossible values."""


class CheckpointError(ModelryError, ValueError):
    """A checkpoint file that is damaged, or whose tensors are not the model's."""


class UnsafeCheckpoint(CheckpointError):
    """A checkpoint that would run code or read files outside its folder."""


class PlacementError(ModelryError, ValueError):
    """The model does not fit on the devices, or a device_map leaves parts out."""


class ParallelError(ModelryError, ValueError):
    """A model cannot be divided over processes: it has no plan, or its numbers or the processes do not fit."""


class QuantizationError(ModelryError, ValueError):
    """A scheme cannot quantize this model, or its parameters are wrong."""


class PreprocessorError(ModelryError, ValueError):
    """Tokenizer or processor files are missing or invalid, or the input does not fit."""


class TemplateError(PreprocessorError):
    """A chat template fails, tries to leave its sandbox, or does not end."""


class GenerationError(ModelryError, ValueError):
    """Generation cannot start or go on: empty or too long prompt, ids out of range, NaN logits."""


class OutOfMemory(ModelryError, MemoryError):
    """Generation needed more memory than the device has. What it took is free again."""


class ParameterError(ModelryError, ValueError):
    """A task has no such keyword, or the value given for one is impossible."""


class PipelineError(ModelryError):
    """A pipeline failed on one item; the message names it, the cause says why."""


class ModelryWarning(UserWarning):
    """Something was understood, but probably not meant."""
