"""`AutoConfig`: the configuration class is the one the registry has for the file's model_type. Torch-free."""

from typing import Any

from modelry.checkpoint.formats import locate
from modelry.config_file import read_config_file, warn_of_other_provider
from modelry.configuration import ModelConfig, config_class
from modelry.hub import Reference, split_hub_options
from modelry.neighbours import translated
from modelry.requirements import find_config_class, require_plugins

__all__ = ["AutoConfig"]


class AutoConfig:
    """Reads any installed family's configuration."""

    def __init__(self) -> None:
        raise TypeError("AutoConfig is not made itself; call AutoConfig.from_pretrained(...)")

    @classmethod
    def from_pretrained(cls, ref: Reference, *, plugin: str | None = None, **options: Any) -> ModelConfig:
        """Read the configuration of a folder, a checkpoint file that carries it, or a hub repository.

        Args:
            ref: folder, file or "organisation/repository".
            plugin: the distribution that shall provide the family, where several do.
            options: revision, subfolder, cache_dir, local_files_only, token, force_download, gguf_file; everything
                else overrides a value of the file.

        Raises:
            NotFound, Unreachable, AccessDenied: the file cannot be had.
            ConfigError: invalid JSON, no or a hostile model_type, impossible values.
            RegistryError: no installed package knows the model_type.
        """
        hub, overrides = split_hub_options(translated(options))
        values, where = read_config_file(locate(ref, **hub))
        require_plugins(values, where=where, plugin=plugin)
        warn_of_other_provider(values, where=where, plugin=plugin)
        return find_config_class(values, where=where, plugin=plugin).from_dict(values, where=where, **overrides)

    @classmethod
    def for_model(cls, model_type: str, *, plugin: str | None = None, **values: Any) -> ModelConfig:
        """A new configuration of a family: AutoConfig.for_model("llama", hidden_size=64, ...)."""
        return config_class(model_type, plugin=plugin)(**values)
