"""Swin Transformer: pixel values in, hidden states of ever coarser stages or feature maps out, over
`modelry.swin_transformer`.

B images   G, K rows and columns of patches   D width of a stage
Paper: https://arxiv.org/abs/2103.14030.
"""

from typing import Any

from torch import Tensor, nn

from modelry.checkpoint import Rename, WeightTable
from modelry.heads.backbone import Backbone
from modelry.heads.image_classification import ImageClassification
from modelry.heads.masked_image_modeling import MaskedImageModeling
from modelry.image_outputs import BackboneOutput
from modelry.nn.kept import Kept
from modelry.nn.swin import SwinEmbeddings, SwinEncoder, SwinStates
from modelry.swin_transformer import SwinTransformer
from modelry_swin.configuration import SwinConfig


class SwinModel(SwinTransformer):
    """Embeddings, stages, the last norm, and the mean of all places; see `SwinTransformer`."""

    config_class = SwinConfig
    base_model_prefix = "swin"


class SwinForImageClassification(ImageClassification):
    """Swin Transformer that gives an image its labels, from the mean of all places."""

    base_class = SwinModel
    base_model_prefix = "swin"


class SwinForMaskedImageModeling(MaskedImageModeling):
    """Swin Transformer that fills in masked patches."""

    base_class = SwinModel
    base_model_prefix = "swin"


class SwinBackbone(Backbone):
    """Swin Transformer that gives feature maps, one for each stage that config.out_features names."""

    config_class = SwinConfig
    base_model_prefix = "swin"
    input_embeddings_name = "embeddings.patch_embeddings"
    optional_parts = ("hidden_states_norms.", "layernorm.", "embeddings.mask_token")
    attention_needs = ("biases",)
    weight_table = WeightTable(
        Rename("swin.layernorm.weight", "layernorm.weight"),
        Rename("swin.layernorm.bias", "layernorm.bias"),
    )

    def __init__(self, config: SwinConfig) -> None:
        super().__init__(config)
        self.embeddings = SwinEmbeddings(config, masking=False)
        self.encoder = SwinEncoder(config)
        self.layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)  # in every file, and not used here
        self.hidden_states_norms = nn.ModuleDict(
            {name: nn.LayerNorm(width) for name, width in zip(config.out_features or (), config.channels, strict=True)}
        )

    def forward(
        self,
        pixel_values: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> BackboneOutput:
        """Run the images; (B, D, G, K) for each stage, before its patches are merged.

        Args:
            pixel_values: (B, channels, height, width).
            output_hidden_states: also return all stages' maps without their norms.
            output_attentions: as of the base model.

        Raises:
            ValueError: images with other channels.
        """
        weights = Kept() if output_attentions or self.config.output_attentions else None
        x, grid = self.embeddings(pixel_values, None, any_size=False)
        states: SwinStates = self.encoder(x, grid, keep=True, weights=weights, before_merging=True, whole_windows=True)
        maps = dict(zip(self.stage_names, states.maps, strict=True))
        wanted: list[tuple[str, Any]] = list(self.hidden_states_norms.items())
        return BackboneOutput(
            feature_maps=tuple(norm(maps[name].permute(0, 2, 3, 1)).permute(0, 3, 1, 2) for name, norm in wanted),
            hidden_states=states.maps if output_hidden_states or self.config.output_hidden_states else None,
            attentions=None if weights is None else tuple(weights),
        )
