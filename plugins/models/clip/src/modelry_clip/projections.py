"""One of CLIP's sides with its projection into the space that both share. P projection_dim"""

from typing import Any

from torch import Tensor

from modelry.configuration import ModelConfig
from modelry.image_text_outputs import ImageEmbedsOutput, TextEmbedsOutput
from modelry.model import PreTrainedModel
from modelry.nn.linear import Linear
from modelry_clip.configuration import CLIPTextConfig, CLIPVisionConfig
from modelry_clip.towers import CLIPTextModel, CLIPVisionModel


class CLIPTextModelWithProjection(PreTrainedModel):
    """Texts as vectors (B, P)."""

    config_class = CLIPTextConfig
    base_model_prefix = "text_model"
    unread = ("vision_model.", "visual_projection.", "logit_scale")

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.text_model = CLIPTextModel(self.config)
        self.text_projection = Linear(self.config.hidden_size, self.config.projection_dim, bias=False)

    def forward(self, input_ids: Tensor | None = None, **more: Any) -> TextEmbedsOutput:
        """Read texts.

        Args:
            input_ids: (B, T) int64.
            more: and the others: those of `CLIPTextModel`.

        Raises:
            ValueError: without ids nothing says where a text ends; a text is too long.
        """
        out = self.text_model(input_ids=input_ids, **more)
        if out.pooler_output is None:
            raise ValueError("inputs_embeds alone do not say where a text ends: give input_ids too")
        embeds = self.text_projection(out.pooler_output)
        return TextEmbedsOutput(embeds, out.last_hidden_state, out.hidden_states, out.attentions)


class CLIPVisionModelWithProjection(PreTrainedModel):
    """Images as vectors (B, P)."""

    config_class = CLIPVisionConfig
    base_model_prefix = "vision_model"
    main_input_name = "pixel_values"
    unread = ("text_model.", "text_projection.", "logit_scale")

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.vision_model = CLIPVisionModel(self.config)
        self.visual_projection = Linear(self.config.hidden_size, self.config.projection_dim, bias=False)

    def forward(self, pixel_values: Tensor | None = None, **more: Any) -> ImageEmbedsOutput:
        """Look at images.

        Args:
            pixel_values: (B, channels, height, width).
            more: and the others: those of `CLIPVisionModel`.

        Raises:
            ValueError: images of another size or with other channels.
        """
        out = self.vision_model(pixel_values=pixel_values, **more)
        embeds = self.visual_projection(out.pooler_output)
        return ImageEmbedsOutput(embeds, out.last_hidden_state, out.hidden_states, out.attentions)
