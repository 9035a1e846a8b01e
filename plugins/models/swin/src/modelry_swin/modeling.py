"""Swin Transformer: pixel values in, hidden states of ever coarser stages or feature maps out. The stages are those of
`modelry.nn.swin`.

B images   G, K rows and columns of patches   D width of the last stage
Paper: https://arxiv.org/abs/2103.14030.
"""

from typing import Any

from torch import Tensor, nn

from modelry.checkpoint import Rename, WeightTable
from modelry.heads.backbone import Backbone
from modelry.heads.image_classification import ImageClassification
from modelry.heads.masked_image_modeling import MaskedImageModeling
from modelry.image_outputs import BackboneOutput, StagedModelOutput
from modelry.model import PreTrainedModel
from modelry.nn.swin import SwinEmbeddings, SwinEncoder, SwinStates
from modelry_swin.configuration import SwinConfig


class SwinModel(PreTrainedModel):
    """Embeddings, stages, the last norm, and the mean of all places.

    Args:
        config: of the model.
        pooling: whether the mean is taken.
        masking: whether there is a mask token.
    """

    config_class = SwinConfig
    base_model_prefix = "swin"
    main_input_name = "pixel_values"
    input_embeddings_name = "embeddings.patch_embeddings"
    optional_parts = ("embeddings.mask_token",)

    def __init__(self, config: SwinConfig, *, pooling: bool = True, masking: bool = False) -> None:
        super().__init__(config)
        self.embeddings = SwinEmbeddings(config, masking=masking)
        self.encoder = SwinEncoder(config)
        self.layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.pooling = pooling

    def forward(
        self,
        pixel_values: Tensor | None = None,
        bool_masked_pos: Tensor | None = None,
        interpolate_pos_encoding: bool = False,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> StagedModelOutput:
        """Run the images. They may be of any size where the model has no learned positions, as most have none.

        Args:
            pixel_values: (B, channels, height, width).
            bool_masked_pos: (B, patches) bool, True for patches that the mask token stands in for.
            interpolate_pos_encoding: take other sizes also where the model has learned positions.
            output_hidden_states: also return the embeddings and each stage's output, as sequences and as maps.
            output_attentions: also return the weights of each stage's last block, (B windows, H, N, N); needs the
                eager attention.

        Raises:
            ValueError: images with other channels or of another size, or a mask without a mask token.
        """
        keep = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        weights: list[Tensor] | None = [] if output_attentions or self.config.output_attentions else None
        x, grid = self.embeddings(pixel_values, bool_masked_pos, any_size=interpolate_pos_encoding)  # (B, G K, D)
        states: SwinStates = self.encoder(x, grid, keep=keep, weights=weights)
        x = self.layernorm(states.last)
        return StagedModelOutput(
            last_hidden_state=x,
            pooler_output=x.mean(dim=1) if self.pooling else None,
            hidden_states=states.hidden if keep else None,
            attentions=None if weights is None else tuple(weights),
            reshaped_hidden_states=states.maps if keep else None,
        )


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
        weights: list[Tensor] | None = [] if output_attentions or self.config.output_attentions else None
        x, grid = self.embeddings(pixel_values, None, any_size=False)
        states: SwinStates = self.encoder(x, grid, keep=True, weights=weights, before_merging=True, whole_windows=True)
        maps = dict(zip(self.stage_names, states.maps, strict=True))
        wanted: list[tuple[str, Any]] = list(self.hidden_states_norms.items())
        return BackboneOutput(
            feature_maps=tuple(norm(maps[name].permute(0, 2, 3, 1)).permute(0, 3, 1, 2) for name, norm in wanted),
            hidden_states=states.maps if output_hidden_states or self.config.output_hidden_states else None,
            attentions=None if weights is None else tuple(weights),
        )
