"""`AutoModel` and how every AutoModelFor... finds its class: model_type and head name, looked up in the registry.

Imports no torch; a model's class brings it along when it is asked for. The heads themselves are in modelry.auto_heads.
"""

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast, overload

from modelry.configuration import ModelConfig
from modelry.errors import ConfigError
from modelry.hub import Reference
from modelry.requirements import find_family
from modelry_registry import get_registry, resolve

if TYPE_CHECKING:
    from modelry.attention_choice import Choice
    from modelry.checkpoint.dtypes import DtypeLike
    from modelry.model import PreTrainedModel

__all__ = ["HEADS", "AutoModel", "model_class"]

HEADS: "dict[str, type[AutoModel]]" = {}
"""Head name, as a plugin declares it, to the class that users name."""


class AutoModel:
    """Loads or makes any installed family's model without a head.

    A subclass is a head: `class AutoModelForCausalLM(AutoModel, head="causal-lm")`.
    """

    head: ClassVar[str] = "base"

    def __init__(self) -> None:
        name = type(self).__name__
        raise TypeError(f"{name} is not made itself; call {name}.from_pretrained(...) or {name}.from_config(...)")

    def __init_subclass__(cls, *, head: str) -> None:
        cls.head = head
        HEADS[head] = cls

    @overload
    @classmethod
    def from_pretrained(
        cls, ref: Reference, *, output_loading_info: Literal[True], **options: Any
    ) -> "tuple[PreTrainedModel, dict[str, Any]]": ...

    @overload
    @classmethod
    def from_pretrained(
        cls, ref: Reference, *, config: ModelConfig | None = None, plugin: str | None = None, **options: Any
    ) -> "PreTrainedModel": ...

    @classmethod
    def from_pretrained(
        cls, ref: Reference, *, config: ModelConfig | None = None, plugin: str | None = None, **options: Any
    ) -> Any:
        """Load a model in eval mode.

        Args:
            ref: folder, checkpoint file, or "organisation/repository".
            config: instead of the checkpoint's own.
            plugin: the distribution that shall provide the family, where several do.
            options: see PreTrainedModel.from_pretrained.

        Raises:
            RegistryError: plugins are missing; all of them in one error, before a tensor is fetched.
            ConfigError: a wrong configuration, or a family without this head.
            CheckpointError: damaged files, or tensors that are not this model's.
            NotFound, Unreachable, AccessDenied, PlacementError, QuantizationError.
        """
        from modelry.checkpoint.loading import load_pretrained

        return load_pretrained(
            partial(model_class, cls.head, plugin=plugin), ref, config=config, plugin=plugin, **options
        )

    @classmethod
    def from_config(
        cls,
        config: ModelConfig,
        *,
        plugin: str | None = None,
        dtype: "DtypeLike | None" = None,
        attn_implementation: "Choice | None" = None,
    ) -> "PreTrainedModel":
        """Make a model with random weights; this is how models contain models of any family.

        Raises:
            RegistryError, ConfigError: as for from_pretrained.
        """
        if not isinstance(config, ModelConfig):
            raise ConfigError(f"config is a {type(config).__name__}; a ModelConfig is needed, as AutoConfig gives one")
        chosen = model_class(cls.head, config, plugin=plugin)
        return chosen.from_config(config, dtype=dtype, attn_implementation=attn_implementation)


HEADS["base"] = AutoModel


def model_class(head: str, config: ModelConfig, *, plugin: str | None = None) -> "type[PreTrainedModel]":
    """The class of a family's head, or of its variant (`{head}-...`) that the configuration says the files are of.

    Raises:
        RegistryError: no plugin has the family, or it is broken.
        ConfigError: the family has no such head; says which it has.
    """
    family = find_family({"model_type": config.model_type}, where=type(config).__name__, plugin=plugin)
    if head not in family.heads:
        provider = get_registry().provider("models", family.model_type, plugin=plugin)
        has = ", ".join(f"{name} ({HEADS[name].__name__})" if name in HEADS else name for name in sorted(family.heads))
        raise ConfigError(
            f"{family.model_type} ({provider.distribution} {provider.version}) has no head {head!r}, which "
            f"{HEADS[head].__name__ if head in HEADS else 'this class'} loads; it has {has}"
        )
    by_class = {reference.partition(":")[2]: name for name, reference in family.heads.items()}
    said = (by_class.get(name, "") for name in config.architectures or ())
    head = next((name for name in said if name.startswith(f"{head}-")), head)
    found: Any = resolve(family.heads[head])
    return cast("type[PreTrainedModel]", found)
