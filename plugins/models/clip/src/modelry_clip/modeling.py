"""CLIP: images and texts in one space. Its two sides are in towers.py.

B images   M texts   P projection_dim
Paper: https://arxiv.org/abs/2103.00020.
"""

import torch
from torch import Tensor, nn

from modelry.configuration import ModelConfig
from modelry.heads.image_text import ImageSideClassification, ImageText
from modelry.heads.losses import cross_entropy
from modelry.nn.linear import Linear
from modelry.outputs import BaseModelOutputWithPooling
from modelry_clip.configuration import CLIPConfig
from modelry_clip.towers import CLIPTextModel, CLIPVisionModel, scale_new


class CLIPModel(ImageText):
    """Both sides, each with a projection, and a learned factor of the scores, kept as its logarithm."""

    config_class = CLIPConfig
    base_model_prefix = "clip"
    text_class = CLIPTextModel
    vision_class = CLIPVisionModel

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        space = self.config.projection_dim
        self.visual_projection = Linear(self.config.vision_config.hidden_size, space, bias=False)
        self.text_projection = Linear(self.config.text_config.hidden_size, space, bias=False)
        self.logit_scale = nn.Parameter(torch.empty(()))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The factor of a new model."""
        nn.init.constant_(self.logit_scale, self.config.logit_scale_init_value)

    def place_text(self, pooled: Tensor) -> Tensor:
        """(M, D) to (M, P)."""
        placed: Tensor = self.text_projection(pooled)
        return placed

    def place_image(self, pooled: Tensor) -> Tensor:
        """(B, D) to (B, P)."""
        placed: Tensor = self.visual_projection(pooled)
        return placed

    def score(self, text_embeds: Tensor, image_embeds: Tensor) -> Tensor:
        """Cosines times the learned factor, (M, B)."""
        return text_embeds @ image_embeds.t() * self.logit_scale.exp()

    def probabilities(self, logits_per_image: Tensor) -> Tensor:
        """Of the texts, one is right."""
        return logits_per_image.softmax(-1)

    def pair_loss(self, logits_per_text: Tensor) -> Tensor:
        """Each text finds its image among all, and each image its text: the mean of both cross entropies."""
        right = torch.arange(logits_per_text.shape[0], device=logits_per_text.device)
        return (cross_entropy(logits_per_text, right) + cross_entropy(logits_per_text.t(), right)) / 2

    def init_weights(self, module: nn.Module) -> None:
        """As any model's, times config.initializer_factor."""
        super().init_weights(module)
        scale_new(module, self.config.initializer_factor)


class CLIPForImageClassification(ImageSideClassification):
    """CLIP's images' side that gives an image its labels, from the mean of its patches."""

    base_class = CLIPVisionModel
    config_class = CLIPConfig

    def describe(self, out: BaseModelOutputWithPooling) -> Tensor:
        """The mean of all patches, the class token left out."""
        assert out.last_hidden_state is not None
        return out.last_hidden_state[:, 1:].mean(1)
