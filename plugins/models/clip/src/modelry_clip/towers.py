"""CLIP's two sides, each alone: texts read from left to right, and images of patches with a class token.

B rows   T positions   D hidden_size
Paper: https://arxiv.org/abs/2103.00020.
"""

import torch
from torch import Tensor, nn

from modelry.configuration import ModelConfig
from modelry.heads.towers import TextTower, VisionTower
from modelry.nn.masks import Mask, causal_mask
from modelry_clip.configuration import CLIPTextConfig, CLIPVisionConfig

MISTAKEN_END = 2
"""What old files say of eos_token_id. Their end token is the one with the greatest id."""


class CLIPTextModel(TextTower):
    """A token sees those before it; the end token describes the text."""

    config_class = CLIPTextConfig

    def see(
        self, attention_mask: Tensor | None, *, new: int, device: torch.device, weights: list[Tensor] | None
    ) -> Mask:
        """Everything up to oneself that is no padding."""
        return causal_mask(attention_mask, new=new, device=device, weights=weights)

    def pool(self, x: Tensor, input_ids: Tensor | None) -> Tensor | None:
        """The first end token's vector, the first token's of a text without one; None without ids."""
        if input_ids is None:
            return None
        end = self.config.eos_token_id
        if end == MISTAKEN_END:
            places = input_ids
        else:
            ends = torch.tensor(end if isinstance(end, list) else [-1 if end is None else end], device=input_ids.device)
            places = torch.isin(input_ids, ends).int()
        chosen: Tensor = x[torch.arange(x.shape[0], device=x.device), places.argmax(-1).to(x.device)]
        return chosen

    def init_weights(self, module: nn.Module) -> None:
        """As any model's, times config.initializer_factor."""
        super().init_weights(module)
        scale_new(module, self.config.initializer_factor)


class CLIPVisionModel(VisionTower):
    """The class token describes the image. The norm before the first layer is published under a misspelt name."""

    config_class = CLIPVisionConfig

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config, class_token=True)
        self.pre_layrnorm = nn.LayerNorm(self.config.hidden_size, eps=self.config.layer_norm_eps)

    def enter(self, x: Tensor) -> Tensor:
        """The normalised embeddings."""
        out: Tensor = self.pre_layrnorm(x)
        return out

    def end(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The stream as it is, and its class token normalised."""
        return x, self.post_layernorm(x[:, 0])

    def init_weights(self, module: nn.Module) -> None:
        """As any model's, times config.initializer_factor."""
        super().init_weights(module)
        scale_new(module, self.config.initializer_factor)


def scale_new(module: nn.Module, factor: float) -> None:
    """Multiply the weights that a new model's module has just been given."""
    if factor != 1.0 and isinstance(module, nn.Linear | nn.Conv2d | nn.Embedding):
        module.weight.mul_(factor)
