"""Vision Transformer: pixel values in, labels, patches or hidden states out, over modelry.vision_transformer.

B images   D hidden_size
Paper: https://arxiv.org/abs/2010.11929.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from modelry.heads.image_classification import ImageClassification
from modelry.heads.masked_image_modeling import MaskedImageModeling
from modelry.vision_transformer import VisionTransformer
from modelry_vit.configuration import ViTConfig


class ViTModel(VisionTransformer):
    """Embeddings, layers, the last norm and a pooler."""

    config_class = ViTConfig
    base_model_prefix = "vit"


class ViTForImageClassification(ImageClassification):
    """Vision Transformer that gives an image its labels, from the class token."""

    base_class = ViTModel
    base_model_prefix = "vit"
    base_options: ClassVar[Mapping[str, Any]] = {"pooling": False}

    def describe(self, out: Any) -> Tensor:
        """The class token, (B, D)."""
        first: Tensor = out.last_hidden_state[:, 0]
        return first


class ViTForMaskedImageModeling(MaskedImageModeling):
    """Vision Transformer that fills in masked patches."""

    base_class = ViTModel
    base_model_prefix = "vit"
    before = 1
