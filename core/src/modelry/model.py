"""`PreTrainedModel`: the one class between a model and `nn.Module`.

It knows its configuration and how to come from and go to files; the work is done in modelry.checkpoint (files),
modelry.embeddings (vocabulary size), modelry.generation. A family's model defines layers and forward, nothing else.
"""

import inspect
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, overload

import torch
from torch import Tensor, nn

from modelry import counting, embeddings, float32_parameters
from modelry import gradient_checkpointing as recomputing
from modelry.allocation import keep_freed_memory
from modelry.attention_choice import Choice, choose_attention, choose_usual_attention
from modelry.checkpoint.dtypes import DtypeLike, as_dtype
from modelry.checkpoint.parts import layer_classes
from modelry.checkpoint.refusal import refuse_to_move
from modelry.configuration import ModelConfig
from modelry.errors import ConfigError
from modelry.foreign_caches import with_own_cache
from modelry.foreign_hooks import computing_device
from modelry.hub import Reference
from modelry.output_trees import let_torch_know
from modelry.tying import tie
from modelry.uploading import push_saved

if TYPE_CHECKING:
    from modelry.cache import Cache
    from modelry.checkpoint.offloading import Offloaded
    from modelry.checkpoint.weight_table import WeightTable
    from modelry.generation import GenerationConfig
    from modelry.quantization import Quantizer

__all__ = ["DEFAULT_ATTENTION", "PreTrainedModel"]

DEFAULT_ATTENTION = "sdpa"

_inside_another: ContextVar[bool] = ContextVar("_inside_another", default=False)


class _Finished(type):
    """Makes every model complete when its constructor returns, so that no model file has to remember to.

    The outermost model initialises and ties its weights; the models inside it are parts.
    """

    def __call__(cls, *arguments: Any, **named: Any) -> Any:
        inside = _inside_another.get()
        token = _inside_another.set(True)
        try:
            model = super().__call__(*arguments, **named)
        finally:
            _inside_another.reset(token)
        if not inside:
            model.finish_construction()
        return model


class PreTrainedModel(nn.Module, metaclass=_Finished):
    """A model with a configuration, that is loaded from and saved to published checkpoints.

    Args:
        config: checked again here, since it may have been edited; the model keeps its own copy.
    """

    config_class: ClassVar[type[ModelConfig]] = ModelConfig
    base_class: "ClassVar[type[PreTrainedModel] | None]" = None
    """Of a generic head: the model it stands on, whose `config_class` is then its own too."""
    base_model_prefix: ClassVar[str] = "model"
    """Under this attribute, and this prefix in checkpoints, a head holds its base model."""
    main_input_name: ClassVar[str] = "input_ids"
    tied_weights: ClassVar[Mapping[str, str]] = {}
    """Parameter to the one it is, when config.tie_word_embeddings: {"lm_head.weight": "model.embed_tokens.weight"}."""
    shared_weights: ClassVar[Mapping[str, str]] = {}
    """The same for parameters that are one whatever the configuration says."""
    weight_table: "ClassVar[WeightTable | None]" = None
    """How published tensor names and layouts become ours, where they differ; names are those of this class."""
    input_embeddings_name: ClassVar[str] = "embed_tokens"
    """Path of the input embedding inside the base model."""
    output_embeddings_name: ClassVar[str] = "lm_head"
    """Path of the projection onto the vocabulary, in the head."""
    keep_in_float32: ClassVar[tuple[str, ...]] = ()
    """Endings of the names of parameters that stay in float32 whatever dtype the model is loaded in."""
    keep_from_float16: ClassVar[tuple[str, ...]] = ()
    """Of those that do so where that is float16, whose range what comes out of them would leave."""
    kept_float32: frozenset[str] = frozenset()
    """Names of those that the checkpoint's load keeps so: their layers are not packed either."""
    optional_parts: ClassVar[tuple[str, ...]] = ()
    """Of a base model, or a head that has its parts beside its own: beginnings of the names of parts that only some
    heads have ("pooler."). A checkpoint with them loads into a head without, and one without makes them new."""
    unread: ClassVar[tuple[str, ...]] = ()
    """Beginnings of names in checkpoints of the family that this class has no use for: the other side of a pair."""
    attention_needs: ClassVar[tuple[str, ...]] = ()
    """What its layers want of an attention function: "biases" (relative positions), "patterns" (masks of their own)."""
    padding_sides: ClassVar[tuple[str, ...]] = ("left", "right")
    """Where texts may be padded and mean the same: some families, as published, count distances over padding."""
    supports_gradient_checkpointing: ClassVar[bool] = True
    reads_packed: ClassVar[bool] = False
    """Of a base model: texts that lie one behind the other in one row are kept apart, where attention_mask numbers
    them and position_ids count each; all masks are those of `causal_mask`, and nothing else mixes positions."""

    config: Any
    hf_device_map: dict[str, int | str]
    """Path of a part to a GPU's number, "cpu" or "disk"; there only where device_map was given, as packages expect."""
    offloaded: "Offloaded | None" = None
    """The parts that stay on disk."""
    _no_split_modules = property(layer_classes)
    _tied_weights_keys = property(lambda model: dict(model.tied_weights))
    hf_quantizer: "Quantizer | None" = None
    """What packed the layers. The ecosystem's name: models have parts that are called `quantizer`."""

    def __init_subclass__(cls, **named: Any) -> None:
        super().__init_subclass__(**named)
        if cls.base_class is not None and "config_class" not in cls.__dict__:
            cls.config_class = cls.base_class.config_class

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.name_or_path = ""
        self._attn_implementation = DEFAULT_ATTENTION
        self._generation_config: GenerationConfig | None = None
        self._generation_config_is_given = False

    # Making

    @classmethod
    def from_config(
        cls, config: ModelConfig, *, dtype: DtypeLike | None = None, attn_implementation: Choice | None = None
    ) -> Self:
        """Build with random weights. A copy of the configuration is checked and kept.

        Args:
            dtype: of the parameters; float32 when None, the configuration's with "auto".

        Raises:
            ConfigError: the configuration is of another class or impossible.
        """
        if not isinstance(config, cls.config_class):
            raise ConfigError(f"{cls.__name__} needs a {cls.config_class.__name__}, not a {type(config).__name__}")
        model = cls(config.checked())
        wanted = as_dtype(model.config.dtype if dtype == "auto" else dtype)
        if wanted is not None:
            model.cast_parameters(wanted)
        if attn_implementation is not None:
            model.set_attn_implementation(attn_implementation)
        return model

    @overload
    @classmethod
    def from_pretrained(
        cls, ref: Reference, *, output_loading_info: Literal[True], **options: Any
    ) -> tuple[Self, dict[str, Any]]: ...

    @overload
    @classmethod
    def from_pretrained(cls, ref: Reference, *, config: ModelConfig | None = None, **options: Any) -> Self: ...

    @classmethod
    def from_pretrained(cls, ref: Reference, *, config: ModelConfig | None = None, **options: Any) -> Any:
        """Load from a folder, a checkpoint file or a hub repository; in eval mode.

        Args:
            ref: what to load.
            config: instead of the checkpoint's own.
            options: those of `modelry.checkpoint.LoadOptions` (dtype, device_map, max_memory, quantization, tp_plan …)
                and `modelry.hub.HubOptions` (revision, token …). Others override values of the configuration.

        Returns:
            The model; with output_loading_info=True also what `modelry.checkpoint.loading.LoadingInfo` says.

        Raises:
            NotFound, Unreachable, AccessDenied, ConfigError, CheckpointError, RegistryError, PlacementError,
            ParallelError: see modelry.errors.
        """
        from modelry.checkpoint.loading import load_pretrained

        return load_pretrained(lambda _: cls, ref, config_class=cls.config_class, config=config, **options)

    def finish_construction(self) -> None:
        """Initialise and tie the weights and set the attention function; called once, by the constructor."""
        let_torch_know()
        choose_usual_attention(self, DEFAULT_ATTENTION)
        if self.config._attn_implementation is not None:
            choose_attention(self, self.config._attn_implementation)
        if not any(parameter.is_meta for parameter in self.parameters()):
            self.initialize_weights()
            keep_freed_memory()
        self.tie_weights()

    def initialize_weights(self) -> None:
        """Fill all parameters with the values a new model starts from: each model those of its own modules."""
        owners: dict[nn.Module, PreTrainedModel] = {self: self}
        with torch.no_grad():
            for module in self.modules():
                owner = module if isinstance(module, PreTrainedModel) else owners[module]
                for child in module.children():
                    owners.setdefault(child, owner)
                if module is not self or type(self).init_weights is not PreTrainedModel.init_weights:
                    owner.init_weights(module)

    def init_weights(self, module: nn.Module) -> None:
        """Fill the parameters of one module. Families override it for modules and parameters of their own.

        Weights of linear, convolutional and embedding layers: normal with config.initializer_range; biases and the
        padding row: 0; norms: as torch makes them.
        """
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Embedding):
            module.weight.normal_(0.0, self.config.initializer_range)
            bias = getattr(module, "bias", None)
            if bias is not None:
                bias.zero_()
            padding = getattr(module, "padding_idx", None)
            if padding is not None:
                module.weight[padding].zero_()

    def tie_weights(self) -> None:
        """Make tied parameters one parameter, where the configuration says so."""
        tie(self)

    # Saving

    def save_pretrained(
        self, folder: str | Path, *, max_shard_size: str | int = "10GB", push_to_hub: bool = False, **options: Any
    ) -> None:
        """Write config.json, generation_config.json and the tensors. What was there stays whole until the end.

        Args:
            folder: made when missing.
            max_shard_size: bytes, or with KB, MB, GB, KiB, MiB, GiB.
            options: those of `modelry.checkpoint.saving.SaveOptions` (state_dict, variant …), and of pushing.
        """
        from modelry.checkpoint.saving import save_model, split_save_options

        saving, hub = split_save_options(options | {"max_shard_size": max_shard_size})
        save_model(self, Path(folder), **saving)
        if push_to_hub and saving.get("is_main_process", True):
            self.push_to_hub(hub.pop("repo_id", Path(folder).name), **saving, **hub)

    def push_to_hub(self, repo_id: str, *, max_shard_size: str | int = "10GB", **options: Any) -> str:
        """Write the model into a hub repository, created when missing; returns the address of the commit."""
        from modelry.checkpoint.saving import split_save_options

        saving, hub = split_save_options(options | {"max_shard_size": max_shard_size})
        return push_saved(lambda one: self.save_pretrained(one, **saving), repo_id, message="Upload model", **hub)

    # What it is

    @property
    def base_model(self) -> nn.Module:
        """The model without its head; itself when it has none."""
        inner = self._modules.get(self.base_model_prefix)
        return self if inner is None else inner

    @property
    def device(self) -> torch.device:
        """Where the first parameter is; of a model partly on disk, what computes that part."""
        return self.offloaded.device if self.offloaded is not None else computing_device(self)

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the first floating parameter or, in a packed model, buffer."""
        for tensor in (*self.parameters(), *self.buffers()):
            if tensor.is_floating_point():
                return tensor.dtype
        return torch.get_default_dtype()

    @property
    def generation_config(self) -> "GenerationConfig":
        """What generate does when the call does not say."""
        if self._generation_config is None:
            from modelry.generation import GenerationConfig

            self._generation_config = GenerationConfig.from_model_config(self.config)
        return self._generation_config

    @generation_config.setter
    def generation_config(self, value: "GenerationConfig") -> None:
        self._generation_config = value
        self._generation_config_is_given = True

    @property
    def has_generation_config(self) -> bool:
        """Whether there is one to be saved with the model: loaded, set, or edited since it was made for `generate`."""
        if self._generation_config is None or self._generation_config_is_given:
            return self._generation_config_is_given
        made = type(self._generation_config).from_model_config(self.config)
        return bool(made.to_dict() != self._generation_config.to_dict())

    num_parameters = counting.num_parameters
    get_memory_footprint = counting.get_memory_footprint
    cast_parameters = float32_parameters.cast_parameters

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        """What `to`, `cuda`, `half` and their like go through."""
        if self.offloaded is not None or len(set(getattr(self, "hf_device_map", {}).values())) > 1:
            refuse_to_move(self)
        return super()._apply(fn, recurse)  # type: ignore[no-any-return]  # torch's is not annotated

    # Parts

    @property
    def attn_implementation(self) -> str:
        """Name of the attention function in use."""
        return self._attn_implementation

    def set_attn_implementation(self, attn_implementation: Choice) -> None:
        """Use another attention function in every layer that attends.

        Args:
            attn_implementation: its name; or names by part of the configuration ({"text_config": "sdpa"}), "" for the
                rest; models inside that are not named keep theirs.

        Raises:
            RegistryError: no plugin has one of this name, or what it runs on is not installed.
            ConfigError: it cannot do what the model needs; says which can.
        """
        choose_attention(self, attn_implementation)

    def get_input_embeddings(self) -> nn.Module:
        """The module that turns token ids into vectors."""
        return embeddings.input_embeddings(self)

    def set_input_embeddings(self, module: nn.Module) -> None:
        """Replace the module that turns token ids into vectors; tied outputs follow."""
        embeddings.set_input_embeddings(self, module)

    def get_output_embeddings(self) -> nn.Module | None:
        """The projection onto the vocabulary, if there is one."""
        return embeddings.output_embeddings(self)

    def set_output_embeddings(self, module: nn.Module) -> None:
        """Replace the projection onto the vocabulary."""
        embeddings.set_output_embeddings(self, module)

    def resize_token_embeddings(self, count: int | None = None, *, pad_to_multiple_of: int | None = None) -> nn.Module:
        """Give the vocabulary another size; returns the input embedding. New rows start as a new model's do."""
        return embeddings.resize(self, count, pad_to_multiple_of=pad_to_multiple_of)

    gradient_checkpointing_enable = recomputing.gradient_checkpointing_enable
    activation_checkpointing_enable = recomputing.activation_checkpointing_enable
    gradient_checkpointing_disable = activation_checkpointing_disable = recomputing.gradient_checkpointing_disable
    enable_input_require_grads = recomputing.enable_input_require_grads
    disable_input_require_grads = recomputing.disable_input_require_grads
    is_gradient_checkpointing = is_activation_checkpointing = property(recomputing.is_recomputed)

    def add_model_tags(self, tags: Sequence[str] | str) -> None:
        """Remember words for a model card, as trainers of other packages do."""
        self.model_tags = [*(getattr(self, "model_tags", None) or []), *([tags] if isinstance(tags, str) else tags)]

    # Running

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Run forward; with return_dict=False the values of its output as a plain tuple."""
        return_dict = named.pop("return_dict", None)
        out = super().__call__(*arguments, **with_own_cache(self, named))
        return out.to_tuple() if return_dict is False else out

    def make_cache(self, *, kind: str = "dynamic", **options: Any) -> "Cache":
        """An empty key/value cache with one layer for each of the model's."""
        from modelry.cache import make_cache

        return make_cache(self.config.get_text_config(), kind=kind, **options)

    def generate(
        self, inputs: Tensor | None = None, generation_config: "GenerationConfig | None" = None, **options: Any
    ) -> Any:
        """Generate token ids; see modelry.generation.generate."""
        from modelry.generation.entrance import enter

        return enter(self, inputs, generation_config, options)

    @classmethod
    def can_generate(cls) -> bool:
        """Whether `generate` works: forward scores next tokens, of a text or of a decoder's answer."""
        for one in cls.__mro__:  # one that wraps another's forward may take anything, and hand it on
            takes = set(inspect.signature(vars(one)["forward"]).parameters) if "forward" in vars(one) else set()
            if "logits_to_keep" in takes or {"decoder_input_ids", "labels"} <= takes:
                return True
        return False

    def compute_transition_scores(
        self,
        sequences: Tensor,
        scores: Sequence[Tensor],
        beam_indices: Tensor | None = None,
        normalize_logits: bool = False,
    ) -> Tensor:
        """The score of each new token of what `generate` returned; see modelry.generation.transition_scores."""
        from modelry.generation.transition_scores import transition_scores

        return transition_scores(sequences, scores, beam_indices, normalize_logits=normalize_logits)
