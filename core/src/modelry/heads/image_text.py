"""Models that compare images with texts: two towers, and a space in which what belongs together lies together.

B images   M texts   D width of a tower   P width of the space
"""

from abc import abstractmethod
from typing import Any, ClassVar

from torch import Tensor

from modelry.configuration import ModelConfig
from modelry.heads.image_classification import ImageClassification
from modelry.heads.towers import TextTower, VisionTower
from modelry.image_text_outputs import ImageTextOutput
from modelry.model import PreTrainedModel
from modelry.outputs import BaseModelOutputWithPooling


def unit(x: Tensor) -> Tensor:
    """Vectors of length one in the directions of x, (..., P)."""
    length: Tensor = x.norm(dim=-1, keepdim=True)
    return x / length


class ImageText(PreTrainedModel):
    """`text_model` and `vision_model`. A family names their classes, and says how images and texts are scored."""

    text_class: ClassVar[type[TextTower]]
    vision_class: ClassVar[type[VisionTower]]
    text_padding: ClassVar[str] = "longest"
    """How texts of one batch were padded in training: to the longest, or to "max_length"."""
    main_input_name = "pixel_values"
    input_embeddings_name = "text_model.embeddings.token_embedding"

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.text_model = self.text_class(self.config.text_config)
        self.vision_model = self.vision_class(self.config.vision_config)

    def place_text(self, pooled: Tensor) -> Tensor:
        """Texts (M, D) to the common space, (M, P)."""
        return pooled

    def place_image(self, pooled: Tensor) -> Tensor:
        """Images (B, D) to the common space, (B, P)."""
        return pooled

    @abstractmethod
    def score(self, text_embeds: Tensor, image_embeds: Tensor) -> Tensor:
        """How well each text goes with each image, (M, B), of vectors of length one, (M, P) and (B, P)."""

    @abstractmethod
    def probabilities(self, logits_per_image: Tensor) -> Tensor:
        """How likely each text is for an image, (B, M)."""

    @abstractmethod
    def pair_loss(self, logits_per_text: Tensor) -> Tensor:
        """The loss of a batch whose i-th text belongs to its i-th image, of (M, M)."""

    def get_text_features(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        **more: Any,
    ) -> BaseModelOutputWithPooling:
        """What the texts' tower returns, with `pooler_output` in the common space, (M, P).

        Args:
            more: and the others: those of the tower.
        """
        out: BaseModelOutputWithPooling = self.text_model(
            input_ids=input_ids, attention_mask=attention_mask, position_ids=position_ids, **more
        )
        if out.pooler_output is None:
            raise ValueError("inputs_embeds alone do not say where a text ends: give input_ids too")
        out.pooler_output = self.place_text(out.pooler_output)
        return out

    def get_image_features(
        self, pixel_values: Tensor | None = None, interpolate_pos_encoding: bool | None = None, **more: Any
    ) -> BaseModelOutputWithPooling:
        """What the images' tower returns, with `pooler_output` in the common space, (B, P).

        Args:
            more: and the others: those of the tower.
        """
        out: BaseModelOutputWithPooling = self.vision_model(
            pixel_values=pixel_values, interpolate_pos_encoding=interpolate_pos_encoding, **more
        )
        if out.pooler_output is None:
            raise ValueError("the images' side has no pooling head (vision_use_head is false): nothing to compare")
        out.pooler_output = self.place_image(out.pooler_output)
        return out

    def forward(
        self,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        return_loss: bool | None = None,
        interpolate_pos_encoding: bool | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        inputs_embeds: Tensor | None = None,
    ) -> ImageTextOutput:
        """Score every image with every text.

        Args:
            input_ids: (M, T) int64.
            pixel_values: (B, channels, height, width).
            return_loss: also the loss of a batch whose i-th text belongs to its i-th image.
            interpolate_pos_encoding: and the others: those of the towers.

        Raises:
            ValueError: one side is missing, does not fit the model, or is of another number where a loss is wanted.
        """
        asked = {"output_hidden_states": output_hidden_states, "output_attentions": output_attentions}
        images = self.get_image_features(pixel_values, interpolate_pos_encoding, **asked)
        texts = self.get_text_features(input_ids, attention_mask, position_ids, inputs_embeds=inputs_embeds, **asked)
        assert images.pooler_output is not None
        assert texts.pooler_output is not None
        image_embeds, text_embeds = unit(images.pooler_output), unit(texts.pooler_output)
        scores = self.score(text_embeds, image_embeds.to(text_embeds.device))  # (M, B)
        count, pictures = scores.shape
        if return_loss and count != pictures:
            raise ValueError(f"return_loss needs one text for each image; there are {count} texts, {pictures} images")
        return ImageTextOutput(
            loss=self.pair_loss(scores.float()) if return_loss else None,
            logits_per_image=scores.t(),
            logits_per_text=scores,
            text_embeds=text_embeds,
            image_embeds=image_embeds,
            text_model_output=texts,
            vision_model_output=images,
        )


class ImageSideClassification(ImageClassification):
    """`vision_model` without its other half, and a classifier. The configuration is the whole model's."""

    base_model_prefix = "vision_model"
    unread = ("text_model.", "text_projection.", "visual_projection.", "logit_scale", "logit_bias")

    def base_config(self) -> ModelConfig:
        """That of the images' side."""
        inner: ModelConfig = self.config.vision_config
        return inner

    def width(self) -> int:
        """D."""
        size: int = self.config.vision_config.hidden_size
        return size
