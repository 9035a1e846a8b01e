"""Vision Transformer: pixel values in, labels, patches or hidden states out, over modelry.vision_transformer.

Paper: https://arxiv.org/abs/2010.11929.
"""

from modelry.heads.masked_image_modeling import MaskedImageModeling
from modelry.vision_transformer import ClassTokenClassification, VisionTransformer
from modelry_vit.configuration import ViTConfig


class ViTModel(VisionTransformer):
    """Embeddings, layers, the last norm and a pooler."""

    config_class = ViTConfig
    base_model_prefix = "vit"


class ViTForImageClassification(ClassTokenClassification):
    """Vision Transformer that gives an image its labels, from the class token."""

    base_class = ViTModel
    base_model_prefix = "vit"


class ViTForMaskedImageModeling(MaskedImageModeling):
    """Vision Transformer that fills in masked patches."""

    base_class = ViTModel
    base_model_prefix = "vit"
    before = 1
