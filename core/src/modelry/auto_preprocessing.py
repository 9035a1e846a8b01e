"""The Auto classes of preprocessors: the class is what the family has for the role. Torch-free."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from modelry.checkpoint.formats import locate
from modelry.config_file import read_config_file
from modelry.configuration import ModelConfig
from modelry.errors import MissingPlugin, NotFound, PreprocessorError, UnknownName
from modelry.hub import Reference, Source, split_hub_options
from modelry.neighbours import translated
from modelry.requirements import find_family, inner_families
from modelry_registry import get_registry, resolve

if TYPE_CHECKING:
    from modelry.preprocessing import Preprocessor

__all__ = ["AutoFeatureExtractor", "AutoImageProcessor", "AutoProcessor", "AutoTokenizer", "AutoVideoProcessor"]

GENERAL_TOKENIZER = "modelry.preprocessing.tokenizer:Tokenizer"
"""Reads any published tokenizer; for repositories that hold nothing else, and families without a plugin."""


class _AutoPreprocessor:
    """Loads the preprocessor that a family has for one of the roles, the first that it has.

    Data files never choose a class: only the model_type does, through the registry.
    """

    roles: ClassVar[tuple[str, ...]]
    inner_roles: ClassVar[tuple[str, ...]] = ()
    """Those that a family inside the model's has where the model's own has none."""

    def __init__(self) -> None:
        name = type(self).__name__
        raise TypeError(f"{name} is not made itself; call {name}.from_pretrained(...)")

    @classmethod
    def from_pretrained(
        cls, ref: Reference, *, config: ModelConfig | None = None, plugin: str | None = None, **options: Any
    ) -> "Preprocessor":
        """Load a preprocessor.

        Args:
            ref: folder, checkpoint file that carries it, or "organisation/repository".
            config: says the family, instead of the checkpoint's own.
            plugin: the distribution that shall provide the family, where several do.
            options: revision, subfolder, cache_dir, local_files_only, token, force_download, gguf_file; everything
                else replaces a value of the published files.

        Raises:
            PreprocessorError: the family has none for this role, or the files are invalid.
            RegistryError: no installed package knows the model_type.
            NotFound, Unreachable, AccessDenied: files cannot be had.
        """
        hub, settings = split_hub_options(translated(options))
        source = locate(ref, **hub)
        found: Any = resolve(cls._reference(source, config, plugin))
        preprocessor: Preprocessor = found.from_pretrained(source, **settings)
        return preprocessor

    @classmethod
    def _reference(cls, source: Source, config: ModelConfig | None, plugin: str | None) -> str:
        """The "module:Name" of the class."""
        where: object = type(config).__name__
        if config is not None:
            values: Mapping[str, Any] = config.to_dict()
        else:
            values, where = read_config_file(source)
        family = find_family(values, where=where, plugin=plugin)
        for role in cls.roles:
            if role in family.preprocessors:
                return family.preprocessors[role]
            for inner in inner_families(values, where=where, plugin=plugin) if role in cls.inner_roles else ():
                if role in inner.preprocessors:
                    return inner.preprocessors[role]
        provider = get_registry().provider("models", family.model_type, plugin=plugin)
        has = ", ".join(sorted(family.preprocessors)) or "no preprocessor at all"
        raise PreprocessorError(
            f"{family.model_type} ({provider.distribution} {provider.version}) has no {cls.roles[0]}; it has {has}"
        )


class AutoTokenizer(_AutoPreprocessor):
    """Text to token ids and back."""

    roles = ("tokenizer",)

    @classmethod
    def _reference(cls, source: Source, config: ModelConfig | None, plugin: str | None) -> str:
        try:
            return super()._reference(source, config, plugin)
        except (NotFound, MissingPlugin, UnknownName):
            if plugin is not None:
                raise
            return GENERAL_TOKENIZER


class AutoImageProcessor(_AutoPreprocessor):
    """Images to arrays; of a family that reads nothing but videos, their frames, as its files have it."""

    roles = ("image-processor", "video-processor")


class AutoVideoProcessor(_AutoPreprocessor):
    """Videos to arrays."""

    roles = ("video-processor",)


class AutoFeatureExtractor(_AutoPreprocessor):
    """Sound to arrays."""

    roles = ("feature-extractor", "image-processor")


class AutoProcessor(_AutoPreprocessor):
    """All that a model takes, in one call; for a model of one modality, that modality's preprocessor. Of a model whose
    parts are families of their own (Donut), the processor may be a part's.
    """

    roles = ("processor", "tokenizer", "image-processor", "video-processor", "feature-extractor")
    inner_roles = ("processor",)
