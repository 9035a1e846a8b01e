"""LLaVA: images through an encoder and two linear layers into the places that a text keeps for them.

B rows   T new positions   I images of all rows   N parts of an image   D, E widths of language model and encoder
V vocabulary
Papers: https://arxiv.org/abs/2304.08485, https://arxiv.org/abs/2310.03744.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from modelry.auto import AutoModel
from modelry.cache import Cache
from modelry.checkpoint.weight_table import Former, Rename, WeightTable
from modelry.configuration import ModelConfig
from modelry.generation.other_inputs import pictures_of_rows
from modelry.heads import CausalLM
from modelry.model import PreTrainedModel
from modelry.nn.activations import activation
from modelry.nn.linear import Linear
from modelry.outputs import BaseModelOutputWithPast, CausalLMOutputWithPast
from modelry_llava.configuration import LlavaConfig


@dataclass
class LlavaModelOutputWithPast(BaseModelOutputWithPast):
    """Hidden states of the language model, and what it saw of the images."""

    image_hidden_states: Tensor | None = None
    """(I N, D)."""


@dataclass
class LlavaCausalLMOutputWithPast(CausalLMOutputWithPast):
    """Scores of the next token, and what the model saw of the images."""

    image_hidden_states: Tensor | None = None
    """(I N, D)."""


class LlavaMultiModalProjector(nn.Module):
    """(I, N, E times the layers that are seen) to (I, N, D)."""

    def __init__(self, config: LlavaConfig) -> None:
        super().__init__()
        vision: Any = config.vision_config
        text: Any = config.text_config
        bias = config.multimodal_projector_bias
        self.linear_1 = Linear(vision.hidden_size * len(config.feature_layers), text.hidden_size, bias=bias)
        self.act = activation(config.projector_hidden_act)
        self.linear_2 = Linear(text.hidden_size, text.hidden_size, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.linear_2(self.act(self.linear_1(x)))
        return out


class LlavaModel(PreTrainedModel):
    """Image encoder, projector and language model. The two outer ones come from the registry."""

    config_class = LlavaConfig
    base_model_prefix = "model"
    input_embeddings_name = "language_model.embed_tokens"
    unread = ("language_model.lm_head.", "vision_tower.embeddings.position_ids")
    weight_table = WeightTable(
        Rename("language_model.model.{rest}", "language_model.{rest}"),
        Former("vision_tower.vision_model.{rest}", "vision_tower.{rest}"),
    )

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        values: LlavaConfig = self.config
        self.vision_tower = AutoModel.from_config(values.vision_config)
        self.multi_modal_projector = LlavaMultiModalProjector(values)
        self.language_model = AutoModel.from_config(values.text_config)

    def get_image_features(self, pixel_values: Tensor) -> Tensor:
        """What the language model sees of images, (I, N, D).

        Args:
            pixel_values: (I, channels, height, width).
        """
        out = self.vision_tower(pixel_values=pixel_values, output_hidden_states=True)
        seen = torch.cat([out.hidden_states[layer] for layer in self.config.feature_layers], dim=-1)
        if self.config.vision_feature_select_strategy == "default":
            seen = seen[:, 1:]
        features: Tensor = self.multi_modal_projector(seen)
        return features

    def place(self, x: Tensor, input_ids: Tensor | None, features: Tensor) -> Tensor:
        """Put images into the places of a text that are kept for them, in order.

        Args:
            x: (B, T, D), the text's vectors.
            input_ids: (B, T); where they are not known, places are known by the image token's vector.
            features: (I N, D).

        Raises:
            ValueError: more or fewer places than the images have parts.
        """
        image = self.config.image_token_index
        if input_ids is not None:
            places = input_ids == image
        else:
            vector = self.get_input_embeddings()(torch.tensor(image, device=x.device))
            places = (x == vector).all(-1)
        if not torch.compiler.is_compiling() and int(places.sum()) != features.shape[0]:
            raise ValueError(
                f"the text has {int(places.sum())} image tokens (id {image}) and the images {features.shape[0]} parts: "
                "prepare both in one call of the processor"
            )
        return x.masked_scatter(places[..., None].to(x.device), features.to(x.device, x.dtype))

    def forward(
        self,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        image_features: Tensor | None = None,
        **more: Any,
    ) -> LlavaModelOutputWithPast:
        """Run the T new positions.

        Args:
            input_ids: (B, T) int64; or `inputs_embeds`, (B, T, D).
            pixel_values: (I, channels, height, width) of the images whose places are among the new positions.
            image_features: (I, N, D) or (I N, D), instead: as `get_image_features` gives them.
            more: and the others: those of the language model.

        Raises:
            ValueError: not exactly one of input_ids and inputs_embeds, or images that do not fit their places.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give either input_ids or inputs_embeds, and not both")
        x: Tensor = self.get_input_embeddings()(input_ids) if inputs_embeds is None else inputs_embeds
        if image_features is None and pixel_values is not None:
            image_features = self.get_image_features(pixel_values)
        if image_features is not None:
            image_features = image_features.reshape(-1, image_features.shape[-1])  # (I N, D)
            x = self.place(x, input_ids, image_features)
        out = self.language_model(
            inputs_embeds=x,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            **more,
        )
        return LlavaModelOutputWithPast(
            out.last_hidden_state, out.past_key_values, out.hidden_states, out.attentions, image_features
        )


class LlavaForConditionalGeneration(CausalLM):
    """LLaVA that scores the next token."""

    model: LlavaModel
    base_class = LlavaModel
    tied_weights: ClassVar[Mapping[str, str]] = {"lm_head.weight": "model.language_model.embed_tokens.weight"}
    unread = ("model.vision_tower.embeddings.position_ids",)
    weight_table = WeightTable(
        Rename("language_model.lm_head.{rest}", "lm_head.{rest}"),
        Rename("language_model.model.{rest}", "model.language_model.{rest}"),
        Former("vision_tower.vision_model.{rest}", "model.vision_tower.{rest}"),
        Rename("vision_tower.{rest}", "model.vision_tower.{rest}"),
        Rename("multi_modal_projector.{rest}", "model.multi_modal_projector.{rest}"),
    )

    def get_image_features(self, pixel_values: Tensor) -> Tensor:
        """See `LlavaModel`."""
        return self.model.get_image_features(pixel_values)

    def forward(  # type: ignore[override]  # the ecosystem's order of arguments
        self,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        image_features: Tensor | None = None,
        **more: Any,
    ) -> LlavaCausalLMOutputWithPast:
        """Score the next token at each position, or at the ones asked for.

        Args:
            pixel_values: (I, channels, height, width); see `LlavaModel`.
            more: and the others: see `CausalLM`.
        """
        if image_features is None and pixel_values is not None:
            image_features = self.get_image_features(pixel_values)
        if image_features is not None:
            image_features = image_features.reshape(-1, image_features.shape[-1])  # (I N, D)
        out = super().forward(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            image_features=image_features,
            **more,
        )
        return LlavaCausalLMOutputWithPast(
            out.loss, out.logits, out.past_key_values, out.hidden_states, out.attentions, image_features
        )

    def _parts_of_an_image(self) -> int | None:
        """N, where the encoder has a position for each part."""
        positions = getattr(getattr(self.model.vision_tower, "embeddings", None), "position_embedding", None)
        if not isinstance(positions, nn.Embedding):
            return None
        config: LlavaConfig = self.config
        return positions.num_embeddings - (config.vision_feature_select_strategy == "default")

    def inputs_of_rows(self, inputs: Mapping[str, Any], ids: Tensor, rows: Tensor) -> dict[str, Any]:
        """See `modelry.generation.other_inputs`: images of all rows lie one behind the other."""
        places = (ids == self.config.image_token_index).sum(-1).tolist()
        found = dict(inputs)
        for name in ("pixel_values", "image_features"):
            if inputs.get(name) is not None and inputs[name].dim() > 2:
                count = inputs[name].shape[0]
                each = self._parts_of_an_image() if name == "pixel_values" else inputs[name].shape[1]
                order = pictures_of_rows(places, [each or sum(places) // count] * count, rows.tolist())
                found[name] = inputs[name][order]
        return found
