"""Donut's image encoder: a Swin transformer without a last norm, over `modelry.swin_transformer`.

Kim et al. 2021, https://arxiv.org/abs/2111.15664. The whole of Donut is a vision-encoder-decoder of it and mBART.
"""

from modelry.heads.image_classification import ImageClassification
from modelry.nn.swin import SwinHeads
from modelry.swin_transformer import SwinTransformer
from modelry_donut_swin.configuration import DonutSwinConfig


class DonutSwinModel(SwinTransformer):
    """Embeddings, stages, and the mean of all places; see `SwinTransformer`."""

    config_class = DonutSwinConfig
    base_model_prefix = "donut"

    def __init__(self, config: DonutSwinConfig) -> None:
        super().__init__(config, normed=False)
        for module in self.modules():
            if isinstance(module, SwinHeads):  # Donut's files hold the index, which follows from the window's size
                module.register_buffer("relative_position_index", module.relative_position_index)


class DonutSwinForImageClassification(ImageClassification):
    """Donut's image encoder that gives an image its labels: what kind of document it is."""

    base_class = DonutSwinModel
    base_model_prefix = "donut"
