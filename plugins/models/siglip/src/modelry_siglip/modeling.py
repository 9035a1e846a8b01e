"""SigLIP: images and texts in one space, each pair judged by itself. Its two sides are in towers.py.

B images   M texts
Paper: https://arxiv.org/abs/2303.15343.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelry.configuration import ModelConfig
from modelry.heads.image_text import ImageSideClassification, ImageText
from modelry.outputs import BaseModelOutputWithPooling
from modelry_siglip.configuration import SiglipConfig
from modelry_siglip.towers import SiglipTextModel, SiglipVisionModel


class SiglipModel(ImageText):
    """Both sides, and a learned factor, kept as its logarithm, and offset of the scores."""

    config_class = SiglipConfig
    base_model_prefix = "siglip"
    text_class = SiglipTextModel
    vision_class = SiglipVisionModel
    text_padding = "max_length"

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.logit_scale = nn.Parameter(torch.zeros(1))
        self.logit_bias = nn.Parameter(torch.zeros(1))

    def score(self, text_embeds: Tensor, image_embeds: Tensor) -> Tensor:
        """Cosines times the learned factor, plus the offset, (M, B)."""
        cosines = (text_embeds @ image_embeds.t()).to(self.logit_scale.device)  # the towers may lie on other devices
        return cosines * self.logit_scale.exp() + self.logit_bias

    def probabilities(self, logits_per_image: Tensor) -> Tensor:
        """Of the texts, any number may be right."""
        return logits_per_image.sigmoid()

    def pair_loss(self, logits_per_text: Tensor) -> Tensor:
        """Each text says yes to its image and no to each other: the mean over texts of the sum over images."""
        signs = 2 * torch.eye(logits_per_text.shape[0], device=logits_per_text.device) - 1
        return -F.logsigmoid(signs * logits_per_text).sum(-1).mean()


class SiglipForImageClassification(ImageSideClassification):
    """SigLIP's images' side that gives an image its labels, from the mean of its patches."""

    base_class = SiglipVisionModel
    config_class = SiglipConfig

    def describe(self, out: BaseModelOutputWithPooling) -> Tensor:
        """The mean of all patches."""
        assert out.last_hidden_state is not None
        return out.last_hidden_state.mean(1)

    def init_weights(self, module: nn.Module) -> None:
        """As any model's; the classifier's times config.initializer_factor."""
        super().init_weights(module)
        if module is self.classifier and isinstance(module, nn.Linear):
            module.weight.mul_(self.config.initializer_factor)
