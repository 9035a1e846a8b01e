"""The base model of Swin transformers: pixel values in, hidden states of ever coarser stages out.

B images   G, K rows and columns of patches   D width of the last stage
Liu et al. 2021, https://arxiv.org/abs/2103.14030. The stages are those of `modelry.nn.swin`.
"""

from torch import Tensor, nn

from modelry.image_outputs import StagedModelOutput
from modelry.model import PreTrainedModel
from modelry.nn.kept import Kept
from modelry.nn.swin import SwinEmbeddings, SwinEncoder, SwinStates
from modelry.nn.swin_config import SwinTransformerConfig


class SwinTransformer(PreTrainedModel):
    """Embeddings, stages, a last norm where there is one, and the mean of all places. A family names its configuration
    and its prefix.

    Args:
        config: of the model.
        pooling: whether the mean is taken.
        masking: whether there is a mask token.
        normed: whether there is a last norm.
    """

    config_class = SwinTransformerConfig
    main_input_name = "pixel_values"
    input_embeddings_name = "embeddings.patch_embeddings"
    optional_parts = ("embeddings.mask_token",)
    attention_needs = ("biases",)

    def __init__(
        self, config: SwinTransformerConfig, *, pooling: bool = True, masking: bool = False, normed: bool = True
    ) -> None:
        super().__init__(config)
        self.embeddings = SwinEmbeddings(config, masking=masking)
        self.encoder = SwinEncoder(config)
        self.layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps) if normed else nn.Identity()
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
        weights = Kept() if output_attentions or self.config.output_attentions else None
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
