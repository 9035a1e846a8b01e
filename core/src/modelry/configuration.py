"""What a config.json means: `ModelConfig`, the plain data every family's configuration descends from.

Reads, checks and writes; builds nothing and never imports torch. Files come through modelry.hub.
"""

import json
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SerializeAsAny, ValidationError, model_validator

from modelry.atomic import write_text
from modelry.checkpoint.formats import locate
from modelry.config_file import (
    BOOKKEEPING_KEYS,
    CONFIG_NAME,
    PROVIDER_KEY,
    check_model_type,
    config_text,
    read_config_file,
    warn_of_other_provider,
)
from modelry.errors import BrokenPlugin, ConfigError, ModelryWarning
from modelry.hub import Reference, split_hub_options
from modelry.uploading import push_saved
from modelry.wrong_values import in_words
from modelry_registry import get_registry, resolve

__all__ = ["ModelConfig", "Nested", "SubConfig", "config_class"]

DTYPE_NAMES = frozenset(
    [
        "float64",
        "float32",
        "float16",
        "bfloat16",
        "float8_e4m3fn",
        "float8_e5m2",
        "float8_e4m3fnuz",
        "float8_e5m2fnuz",
        "int64",
        "int32",
        "int16",
        "int8",
        "uint8",
        "bool",
    ]
)

MOST = {
    "head_dim": 10**5,
    "hidden_size": 10**7,
    "num_attention_heads": 10**5,
    "num_hidden_layers": 10**4,
    "num_labels": 10**7,
    "vocab_size": 10**9,
}
"""Far above any model; a file with more would have us build layers until memory ends."""

ATTENTION_KEY = "attn_implementation"

_inside_another: ContextVar[bool] = ContextVar("_inside_another", default=False)


class ModelConfig(BaseModel):
    """The values of one config.json, under their published names.

    Unknown keys are kept, so that what is read is what is saved, and named in one warning.

    Raises:
        ConfigError: a value is impossible; the message says which and why.
    """

    model_config = ConfigDict(extra="allow", protected_namespaces=(), validate_default=False, allow_inf_nan=False)

    base_model_tp_plan: ClassVar[Mapping[str, str]] = {}
    """How tensor parallelism divides the base model: a pattern of names to a word; see modelry.parallel.plan."""
    without_effect: ClassVar[Collection[str]] = ()
    """Keys of the family's published files that never changed a forward pass: kept without a warning."""

    model_type: str = ""
    architectures: list[str] | None = None
    dtype: str | None = Field(None, description="the dtype the checkpoint is stored in; torch_dtype is read as well")

    bos_token_id: int | list[int] | None = None
    eos_token_id: int | list[int] | None = None
    pad_token_id: int | None = None
    tie_word_embeddings: bool = False
    is_encoder_decoder: bool = False
    use_cache: bool = True
    output_hidden_states: bool = False
    output_attentions: bool = False
    initializer_range: float = Field(0.02, ge=0)

    id2label: dict[int, str] = Field(default_factory=lambda: _numbered_labels(2))
    label2id: dict[str, int] = Field(default_factory=dict)
    problem_type: str | None = None

    quantization_config: dict[str, Any] | None = None

    _attn_implementation: str | Mapping[str, str] | None = None
    """Attention function of the models made of this, None for the usual one. It is a matter of the machine: what
    a file says of it is kept and not followed, and what is said here is not written."""

    def __init__(self, /, **values: Any) -> None:
        attention = values.pop(ATTENTION_KEY, None)
        inside = _inside_another.get()
        token = _inside_another.set(True)
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigError(in_words(type(self).__name__, error)) from error
        finally:
            _inside_another.reset(token)
        self._attn_implementation = attention
        unknown = () if inside else tuple(sorted(_unknown_keys(self)))
        if unknown:
            warnings.warn(
                f"{type(self).__name__} does not know {', '.join(unknown)}; kept, but without effect",
                ModelryWarning,
                stacklevel=2,
            )

    # Values

    @model_validator(mode="before")
    @classmethod
    def _published_spellings(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        values = dict(values)
        if "torch_dtype" in values:
            values.setdefault("dtype", values.pop("torch_dtype"))
            values.pop("torch_dtype", None)
        if values.get("dtype") is not None:
            values["dtype"] = _dtype_name(values["dtype"])
        if "num_labels" in values:
            _settle_labels(values)
        return {key: value for key, value in values.items() if not (key in _NEVER_NULL and value is None)}

    @model_validator(mode="after")
    def _labels_both_ways(self) -> Self:
        if not self.label2id:
            self.__dict__["label2id"] = {label: index for index, label in self.id2label.items()}
        return self

    @model_validator(mode="after")
    def _sizes_are_possible(self) -> Self:
        for key, most in MOST.items():
            value = getattr(self, key, 0)
            if isinstance(value, int) and value > most:
                raise ValueError(f"{key} {value} is impossible: at most {most:,} is read")
        return self

    @property
    def num_labels(self) -> int:
        """How many classes a classification head has."""
        return len(self.id2label)

    @num_labels.setter
    def num_labels(self, count: int) -> None:
        if count != len(self.id2label):
            self.id2label = _numbered_labels(count)
            self.label2id = {label: index for index, label in self.id2label.items()}

    @property
    def tp_plan(self) -> Mapping[str, str]:
        """`base_model_tp_plan`, as these values need it."""
        return self.base_model_tp_plan

    def get_text_config(self, decoder: bool | None = None, encoder: bool | None = None) -> "ModelConfig":
        """The part that describes the text model: `text_config` where there is one, else self.

        Args:
            decoder, encoder: packages say which one they mean; there is one.
        """
        inner = self.__dict__.get("text_config")
        return inner if isinstance(inner, ModelConfig) else self

    # Reading

    @classmethod
    def from_pretrained(cls, ref: Reference, **options: Any) -> Self:
        """Read the configuration of a folder, a file or a hub repository.

        Args:
            ref: folder, checkpoint file that carries its configuration, config.json, or "organisation/repository".
            options: revision, subfolder, cache_dir, local_files_only, token, force_download, gguf_file; everything
                else overrides a value of the file.

        Raises:
            NotFound, Unreachable, AccessDenied: the file cannot be had.
            ConfigError: the file is no configuration of this class.
        """
        hub, overrides = split_hub_options(options)
        source = locate(ref, **hub)
        values, where = read_config_file(source)
        warn_of_other_provider(values, where=where)
        return cls.from_dict(cls.own_part(values), where=where, **overrides)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: Path | str | None = None, **overrides: Any) -> Self:
        """Build from the values of a config.json; `where` is named in errors, `overrides` win.

        Raises:
            ConfigError: a value is impossible.
            TypeError: an override is no value of this configuration.
        """
        merged = {key: value for key, value in values.items() if key != PROVIDER_KEY}
        if "num_labels" in overrides and "id2label" not in overrides:
            for key in ("id2label", "label2id", "num_labels"):
                merged.pop(key, None)
        stored = {ATTENTION_KEY: merged.pop(ATTENTION_KEY)} if ATTENTION_KEY in merged else {}
        for key in overrides.keys() - {ATTENTION_KEY}:
            if key not in merged and key not in cls.model_fields and not isinstance(getattr(cls, key, None), property):
                raise TypeError(f"{cls.__name__} has no {key!r}: neither an option of from_pretrained nor a value")
        try:
            made = cls(**{**merged, **overrides})
        except RecursionError as error:
            raise ConfigError(f"{where or cls.__name__}: configurations nested too deeply") from error
        except ConfigError as error:
            raise error if where is None else ConfigError(f"{where}: {error}") from error
        if stored and made.model_extra is not None:
            made.model_extra.update(stored)
        return made

    @classmethod
    def own_part(cls, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """The nested part that carries this class's model_type when the file is a composite model's, else all."""
        own = cls.model_fields["model_type"].default
        if own and values.get("model_type") != own:
            for value in values.values():
                if isinstance(value, Mapping) and value.get("model_type") == own:
                    return value
        return values

    # Writing

    def to_dict(self) -> dict[str, Any]:
        """All values under their published names; a null only where one was set."""
        values: dict[str, Any] = {"model_type": self.model_type}
        for key in (*type(self).model_fields, *(self.model_extra or ())):
            value = self.__dict__[key] if key in self.__dict__ else (self.model_extra or {})[key]
            said = key in self.model_fields_set and not (value is None and key == "quantization_config")
            said = said or (key == "label2id" and "id2label" in self.model_fields_set)  # others need both
            if said or not (value is None or key in ("id2label", "label2id")):
                values[key] = _plain(value)
        return values

    def to_json_string(self) -> str:
        """`to_dict` as config.json writes it."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"

    def save_pretrained(self, folder: str | Path, *, push_to_hub: bool = False, **hub: Any) -> None:
        """Write config.json into `folder`, made when missing, in one step: the old file stays whole until then."""
        write_text(Path(folder) / CONFIG_NAME, config_text(self))
        if push_to_hub:
            self.push_to_hub(hub.pop("repo_id", Path(folder).name), **hub)

    def push_to_hub(self, repo_id: str, **options: Any) -> str:
        """Write config.json into a hub repository, created when missing; returns the address of the commit."""
        return push_saved(self.save_pretrained, repo_id, message="Upload configuration", **options)

    def checked(self) -> Self:
        """A copy whose values have been checked again, for one that was edited in place.

        Raises:
            ConfigError: an edited value is impossible.
        """
        unedited = {
            key: value
            for key, value in self.__dict__.items()
            if isinstance(value, BaseModel) and value.model_config.get("frozen")
        }
        token = _inside_another.set(True)  # what there is to warn of was said when it was read
        try:
            values = {**self.to_dict(), **unedited, ATTENTION_KEY: self._attn_implementation}
            return type(self)(**values)
        finally:
            _inside_another.reset(token)


class Nested:
    """Marks a field whose class is that of the value's own model_type, found through the registry.

    Args:
        default: model_type of a value that does not say its own, as the oldest composite checkpoints do not.
        own: model_types that no family provides, and the classes by which the field reads them itself.
    """

    def __init__(self, default: str = "", *, own: "Mapping[str, type[ModelConfig]] | None" = None) -> None:
        self.default = default
        self.own = dict(own or {})

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return handler(Annotated[source, BeforeValidator(self._build)])

    def _build(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        model_type = value.get("model_type") or self.default
        if model_type in self.own:
            return self.own[model_type](**value)
        return config_class(check_model_type(model_type, where="a nested configuration"))(**value)


SubConfig = Annotated[SerializeAsAny[ModelConfig], Nested()]
"""A nested configuration of any installed family."""


def config_class(model_type: str, *, plugin: str | None = None) -> type[ModelConfig]:
    """The configuration class that the registry has for a model_type.

    Raises:
        RegistryError: no plugin, or a broken one.
    """
    family = get_registry().get("models", model_type, plugin=plugin)
    found = resolve(family.config)
    if not (isinstance(found, type) and issubclass(found, ModelConfig)):
        raise BrokenPlugin(f"{family.config}, the configuration of {model_type}, is no ModelConfig")
    return found


_NEVER_NULL = frozenset(
    [
        "tie_word_embeddings",
        "is_encoder_decoder",
        "use_cache",
        "output_hidden_states",
        "output_attentions",
        "initializer_range",
        "id2label",
        "label2id",
    ]
)
"""Keys whose null in old files means the default."""


def _numbered_labels(count: int) -> dict[int, str]:
    return {index: f"LABEL_{index}" for index in range(count)}


def _settle_labels(values: dict[str, Any]) -> None:
    """Replace num_labels by id2label; where a file has both and they differ, the number decides."""
    count = values.pop("num_labels")
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST["num_labels"]:
        raise ValueError(f"num_labels is {count!r}; a whole number from 1 to {MOST['num_labels']:,} is needed")
    names = values.get("id2label")
    if not isinstance(names, Mapping) or len(names) != count:
        if names:
            warnings.warn(
                f"num_labels is {count} but id2label names {len(names)}; the names are dropped",
                ModelryWarning,
                stacklevel=2,
            )
        values["id2label"] = _numbered_labels(count)
        values.pop("label2id", None)


def _dtype_name(value: Any) -> str:
    name = str(value).removeprefix("torch.")
    if name not in DTYPE_NAMES:
        raise ValueError(f"dtype is {value!r}; one of {', '.join(sorted(DTYPE_NAMES))} is needed")
    return name


def _unknown_keys(config: ModelConfig, prefix: str = "") -> Iterator[str]:
    for key in config.model_extra or ():
        ours = isinstance(getattr(type(config), key, None), property)
        if not (ours or key in BOOKKEEPING_KEYS or key in config.without_effect or key.startswith("_")):
            yield prefix + key
    for key in type(config).model_fields:
        value = config.__dict__.get(key)
        if isinstance(value, ModelConfig):
            yield from _unknown_keys(value, f"{prefix}{key}.")


def _plain(value: Any) -> Any:
    if isinstance(value, ModelConfig):
        return value.to_dict()
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
