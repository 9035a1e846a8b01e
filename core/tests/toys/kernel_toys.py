"""Small families, a quantizer and a checkpoint format for the kernel's own tests.

note: token ids to hidden states, with a head; composite: contains a model of any family; legacy: a published layout
that differs from its own in every way a weight table can say.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import torch
from pydantic import BaseModel, Field, model_validator
from torch import Tensor, nn

from modelry import AutoModel
from modelry.checkpoint import CheckpointReader, Ignore, Rename, Split, Stack, TensorInfo, Transpose, WeightTable
from modelry.configuration import ModelConfig, SubConfig
from modelry.model import PreTrainedModel
from modelry.quantization import Quantizer
from modelry_registry import CheckpointFormat, ModelFamily
from modelry_registry import Quantizer as QuantizerSpec

HERE = "kernel_toys"


class NoteConfig(ModelConfig):
    """A stack of linear layers."""

    model_type: Literal["note"] = "note"
    vocab_size: int = Field(32, gt=0)
    hidden_size: int = Field(8, gt=0)
    num_hidden_layers: int = Field(2, gt=0)
    num_attention_heads: int = Field(2, gt=0)
    hidden_act: Literal["tanh"] = "tanh"
    tie_word_embeddings: bool = True

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not a multiple of num_attention_heads {self.num_attention_heads}"
            )
        return self


class NoteLayer(nn.Module):
    """One linear layer; `attend` is set by the kernel, as in a layer that attends."""

    attend: Any = None

    def __init__(self, config: NoteConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        return torch.tanh(self.dense(x) + angles.to(x.dtype))


class NoteModel(PreTrainedModel):
    """Ids to hidden states."""

    config_class = NoteConfig

    def __init__(self, config: NoteConfig) -> None:
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(NoteLayer(config) for _ in range(config.num_hidden_layers))
        self.norm = nn.LayerNorm(config.hidden_size)
        angles = torch.arange(config.hidden_size, device="cpu", dtype=torch.float32) / 100
        self.register_buffer("angles", angles, persistent=False)

    def forward(self, input_ids: Tensor, use_cache: bool | None = None) -> Tensor:
        x = self.embed_tokens(input_ids)
        for layer in self.layers:
            x = layer(x, self.angles)
        return self.norm(x)


class NoteForCausalLM(PreTrainedModel):
    """Scores the next token."""

    config_class = NoteConfig
    tied_weights: ClassVar[Mapping[str, str]] = {"lm_head.weight": "model.embed_tokens.weight"}

    def __init__(self, config: NoteConfig) -> None:
        super().__init__(config)
        self.model = NoteModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)

    def forward(self, input_ids: Tensor, use_cache: bool | None = None, logits_to_keep: int = 0) -> Tensor:
        return self.lm_head(self.model(input_ids)[:, -logits_to_keep:])


class NoteForSequenceClassification(PreTrainedModel):
    """Classes of the last position."""

    config_class = NoteConfig

    def __init__(self, config: NoteConfig) -> None:
        super().__init__(config)
        self.model = NoteModel(config)
        self.score = nn.Linear(config.hidden_size, config.num_labels)

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.score(self.model(input_ids)[:, -1])


class LegacyConfig(NoteConfig):
    """As note, with sizes that its weight table reads."""

    model_type: Literal["legacy"] = "legacy"  # type: ignore[assignment]
    tie_word_embeddings: bool = False

    @property
    def small(self) -> int:
        return self.hidden_size // 4

    @property
    def large(self) -> int:
        return self.hidden_size - 2 * self.small


class LegacyLayer(nn.Module):
    """Projections that the published layout fuses, transposes and numbers."""

    def __init__(self, config: LegacyConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.q = nn.Linear(width, config.large)
        self.k = nn.Linear(width, config.small)
        self.v = nn.Linear(width, config.small)
        self.up = nn.Linear(width, 2 * width)
        self.experts = nn.Parameter(torch.ones(3, width, 4))


class LegacyModel(PreTrainedModel):
    """Its layout differs from the published one in every way."""

    config_class = LegacyConfig
    base_model_prefix = "body"
    weight_table = WeightTable(
        Rename("wte.weight", "embed_tokens.weight"),
        Split(
            "h.{i}.attn.weight",
            ("layers.{i}.q.weight", "layers.{i}.k.weight", "layers.{i}.v.weight"),
            sizes=("large", "small", "small"),
            transposed=True,
        ),
        Split(
            "h.{i}.attn.bias",
            ("layers.{i}.q.bias", "layers.{i}.k.bias", "layers.{i}.v.bias"),
            sizes=("large", "small", "small"),
        ),
        Transpose("h.{i}.fc.weight", "layers.{i}.up.weight"),
        Rename("h.{i}.fc.bias", "layers.{i}.up.bias"),
        Stack("h.{i}.expert.{e}.w", "layers.{i}.experts", number="e"),
        Ignore("h.{i}.attn.masked_bias"),
    )

    def __init__(self, config: LegacyConfig) -> None:
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(LegacyLayer(config) for _ in range(config.num_hidden_layers))


class LegacyForCausalLM(PreTrainedModel):
    """A head over it."""

    config_class = LegacyConfig
    base_model_prefix = "body"

    def __init__(self, config: LegacyConfig) -> None:
        super().__init__(config)
        self.body = LegacyModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)


class CompositeConfig(ModelConfig):
    """Any text model, and a part of its own."""

    model_type: Literal["composite"] = "composite"
    text_config: SubConfig
    bridge_size: int = Field(4, gt=0)


class CompositeModel(PreTrainedModel):
    """Contains a model that it knows only by its configuration."""

    config_class = CompositeConfig
    input_embeddings_name = "language_model.embed_tokens"

    def __init__(self, config: CompositeConfig) -> None:
        super().__init__(config)
        width = config.get_text_config().hidden_size  # type: ignore[attr-defined]
        self.bridge = nn.Linear(config.bridge_size, width)
        self.language_model = AutoModel.from_config(config.text_config)


@dataclass
class Loaded:
    """What a toy preprocessor was loaded with."""

    folder: Path | None
    options: Mapping[str, Any]

    @classmethod
    def from_pretrained(cls, ref: Any, **options: Any) -> Self:
        return cls(ref.folder, options)


class ToyImageProcessor(Loaded):
    """The role image-processor."""


class ToyVideoProcessor(Loaded):
    """The role video-processor."""


class ToyFeatureExtractor(Loaded):
    """The role feature-extractor."""


class ToyProcessor(Loaded):
    """The role processor."""


class ToyParameters(BaseModel):
    """quantization_config of the toy scheme."""

    model_config = {"extra": "forbid"}
    levels: int = Field(127, gt=0, le=127)
    quant_method: str = "toy8"


class PackedLinear(nn.Module):
    """int8 values and a scale for each row."""

    def __init__(self, old: nn.Linear) -> None:
        super().__init__()
        rows, columns = old.weight.shape
        self.register_buffer("values", torch.zeros(rows, columns, dtype=torch.int8))
        self.register_buffer("scale", torch.zeros(rows, 1, dtype=torch.float32))
        self.bias = old.bias

    def forward(self, x: Tensor) -> Tensor:
        weight = (self.values * self.scale).to(x.dtype)
        return nn.functional.linear(x, weight, self.bias)


class ToyQuantizer(Quantizer):
    """Packs every linear layer, the head included."""

    method = "toy8"

    def swap(self, model: nn.Module) -> None:
        for name, part in list(model.named_modules()):
            if isinstance(part, nn.Linear):
                model.set_submodule(name, PackedLinear(part))

    def pack(self, name: str, tensor: Tensor) -> Mapping[str, Tensor] | None:
        if name.endswith(".bias"):
            return None
        levels: int = self.parameters.levels  # type: ignore[attr-defined]
        scale = tensor.float().abs().amax(1, keepdim=True) / levels
        path = name.removesuffix(".weight")
        return {f"{path}.values": (tensor / scale).round().to(torch.int8), f"{path}.scale": scale}


class BoxReader(CheckpointReader):
    """A format that carries everything: JSON with a configuration, a tokenizer and lists of numbers."""

    suffixes = (".box",)
    carries_config = True

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.content = json.loads(path.read_text())

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return path.read_bytes().startswith(b"{")

    def names(self) -> Collection[str]:
        return self.content["tensors"].keys()

    def info(self, name: str) -> TensorInfo:
        return TensorInfo("float32", tuple(torch.tensor(self.content["tensors"][name]).shape))

    def read(self, name: str) -> Tensor:
        return torch.tensor(self.content["tensors"][name], dtype=torch.float32)

    def config(self) -> Mapping[str, Any] | None:
        return self.content["config"]

    def generation_config(self) -> Mapping[str, Any] | None:
        return {"max_new_tokens": 7}

    def preprocessor_config(self) -> Mapping[str, Any] | None:
        return self.content.get("preprocessor")


FAMILIES = (
    ModelFamily(
        model_type="note",
        config=f"{HERE}:NoteConfig",
        heads={
            "base": f"{HERE}:NoteModel",
            "causal-lm": f"{HERE}:NoteForCausalLM",
            "sequence-classification": f"{HERE}:NoteForSequenceClassification",
        },
        preprocessors={"tokenizer": "modelry.preprocessing.tokenizer:Tokenizer"},
    ),
    ModelFamily(
        model_type="legacy",
        config=f"{HERE}:LegacyConfig",
        heads={"base": f"{HERE}:LegacyModel", "causal-lm": f"{HERE}:LegacyForCausalLM"},
    ),
    ModelFamily(
        model_type="composite",
        config=f"{HERE}:CompositeConfig",
        heads={"base": f"{HERE}:CompositeModel"},
        preprocessors={
            "image-processor": f"{HERE}:ToyImageProcessor",
            "video-processor": f"{HERE}:ToyVideoProcessor",
            "feature-extractor": f"{HERE}:ToyFeatureExtractor",
            "processor": f"{HERE}:ToyProcessor",
        },
        modalities=("text", "image", "video", "audio"),
    ),
    QuantizerSpec(name="toy8", quantizer=f"{HERE}:ToyQuantizer", parameters=f"{HERE}:ToyParameters", bits=(8,)),
    CheckpointFormat(
        name="box",
        reader=f"{HERE}:BoxReader",
        suffixes=(".box",),
        files=("box.bin",),
        companions=("config.json", "hints.json"),
    ),
)
