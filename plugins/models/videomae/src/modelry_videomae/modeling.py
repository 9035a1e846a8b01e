"""VideoMAE: frames in, hidden states of tubelets or labels out; pixels are in pretraining.py. No files or devices here.

B videos   T frames   C channels   X, Y height and width in pixels   N tubelets of a video   V of them visible
D hidden_size   F intermediate_size
Paper: https://arxiv.org/abs/2203.12602.
"""

from typing import Any

import torch
from torch import Tensor, nn

from modelry.configuration import ModelConfig
from modelry.heads.image_classification import ImageClassification
from modelry.model import PreTrainedModel
from modelry.nn.activations import activation
from modelry.nn.image_sizes import as_pair
from modelry.nn.kept import Kept
from modelry.nn.linear import Linear
from modelry.nn.masks import Mask, bidirectional_mask
from modelry.nn.vit_attention import Projection, ViTAttention, ViTLayers, feed_forward
from modelry.outputs import BaseModelOutput
from modelry_videomae.configuration import VideoMAEConfig
from modelry_videomae.masking import check_masked, rows_of
from modelry_videomae.weights import biases_of


def sinusoids(count: int, width: int) -> Tensor:
    """Fixed positions, (1, count, width) float32: sines at even places, cosines of the same angles at odd ones.

    Vaswani et al. 2017, https://arxiv.org/abs/1706.03762. Always on the CPU, since no checkpoint holds them.
    """
    places = torch.arange(width, dtype=torch.float64, device="cpu")
    turns = torch.arange(count, dtype=torch.float64, device="cpu")
    even = places.remainder(2) == 0
    angles = turns[:, None] / 10000.0 ** ((places - places.remainder(2)) / width)
    return torch.where(even, angles.sin(), angles.cos()).float()[None]


class VideoMAEPatchEmbeddings(nn.Module):
    """Each tubelet, a patch of some frames that follow one another, becomes a vector by one linear map."""

    def __init__(self, config: VideoMAEConfig) -> None:
        super().__init__()
        size = config.tubelet
        self.projection = nn.Conv3d(config.num_channels, config.hidden_size, kernel_size=size, stride=size)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """(B, T, C, X, Y) to (B, N, D)."""
        videos = pixel_values.to(self.projection.weight.dtype).transpose(1, 2)  # (B, C, T, X, Y)
        tubelets: Tensor = self.projection(videos).flatten(2).transpose(1, 2)
        return tubelets


class VideoMAEEmbeddings(nn.Module):
    """Tubelets with fixed positions; masked ones are left out."""

    position_embeddings: Tensor

    def __init__(self, config: VideoMAEConfig) -> None:
        super().__init__()
        self.shape = (config.num_frames, config.num_channels, *as_pair(config.image_size))
        self.tubelet_size = config.tubelet_size
        self.patch_embeddings = VideoMAEPatchEmbeddings(config)
        table = sinusoids(config.num_tubelets, config.hidden_size)
        self.register_buffer("position_embeddings", table, persistent=False)

    def forward(self, pixel_values: Tensor | None, masked: Tensor | None) -> Tensor:
        """(B, T, C, X, Y) to (B, V, D).

        Args:
            masked: (B, N) bool, True for what is left out.

        Raises:
            ValueError: another shape, or rows with different numbers of masked tubelets.
        """
        x: Tensor = self.patch_embeddings(self._checked(pixel_values))  # (B, N, D)
        x = x + self.position_embeddings.to(x.dtype)
        if masked is None:
            return x
        return rows_of(x, ~check_masked(masked, videos=x.shape[0], tubelets=x.shape[1]))

    def _checked(self, pixel_values: Tensor | None) -> Tensor:
        if pixel_values is None:
            raise ValueError(
                "give pixel_values, (videos, frames, channels, height, width), as a video processor makes them"
            )
        found, frames = tuple(pixel_values.shape), self.shape[0]
        fits = len(found) == 5 and found[2:] == self.shape[1:]
        if not fits or found[1] // self.tubelet_size != frames // self.tubelet_size:
            needed = ", ".join(map(str, self.shape))
            raise ValueError(f"pixel_values have shape {found}: (videos, {needed}) is needed")
        return pixel_values


class VideoMAELayer(nn.Module):
    """Attention whose keys have no bias, then the MLP, each on a normalised copy of the residual stream.

    Args:
        config: of the model.
        width: of the residual stream: the encoder's, or the decoder's of pretraining. So are the next two.
        inner: F.
        heads: H.
    """

    def __init__(self, config: VideoMAEConfig, *, width: int, inner: int, heads: int) -> None:
        super().__init__()
        self.layernorm_before = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.attention = ViTAttention(width, heads, bias=config.qv_bias, dropout=config.attention_probs_dropout_prob)
        self.attention.attention.key = Linear(width, width, bias=False)
        self.layernorm_after = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.intermediate = Projection(width, inner)
        self.act = activation(config.hidden_act)
        self.output = Projection(inner, width)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, x: Tensor, mask: Mask) -> Tensor:
        mixed = self.attention(self.layernorm_before(x), mask)
        x = x + self.dropout(mixed)
        return feed_forward(x, self.layernorm_after, self.intermediate, self.act, self.output, self.dropout)


class VideoMAEModel(PreTrainedModel):
    """Embeddings and layers; a last norm only where labels are not read off the mean."""

    config_class = VideoMAEConfig
    base_model_prefix = "videomae"
    main_input_name = "pixel_values"
    input_embeddings_name = "embeddings.patch_embeddings"
    optional_parts = ("layernorm.",)  # checkpoints of pretraining have it, and are trained on with the mean
    weight_table = biases_of("encoder.layer")

    def __init__(self, config: VideoMAEConfig) -> None:
        super().__init__(config)
        self.embeddings = VideoMAEEmbeddings(config)
        self.encoder = ViTLayers(
            VideoMAELayer(
                config,
                width=config.hidden_size,
                inner=config.intermediate_size,
                heads=config.num_attention_heads,
            )
            for _ in range(config.num_hidden_layers)
        )
        self.layernorm = None
        if not config.use_mean_pooling:
            self.layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(
        self,
        pixel_values: Tensor | None = None,
        bool_masked_pos: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> BaseModelOutput:
        """Run the videos.

        Args:
            pixel_values: (B, T, C, X, Y).
            bool_masked_pos: (B, N) bool, True for tubelets that are left out, as many in each video.
            output_hidden_states: also return the residual stream, (B, V, D), before each layer and after the last.
            output_attentions: also return each layer's weights, (B, H, V, V); needs the eager attention.

        Raises:
            ValueError: videos of another size, or a mask that does not fit.
        """
        weights: list[Tensor] | None = [] if output_attentions or self.config.output_attentions else None
        hidden = Kept() if output_hidden_states or self.config.output_hidden_states else None
        x = self.embeddings(pixel_values, bool_masked_pos)  # (B, V, D)
        x = self.encoder(x, bidirectional_mask(weights=weights), hidden)
        return BaseModelOutput(
            last_hidden_state=x if self.layernorm is None else self.layernorm(x),
            hidden_states=None if hidden is None else tuple(hidden),
            attentions=None if weights is None else tuple(weights),
        )


class VideoMAEForVideoClassification(ImageClassification):
    """VideoMAE that gives a video its labels, from the mean of its tubelets or the first of them."""

    base_class = VideoMAEModel
    base_model_prefix = "videomae"

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.fc_norm = nn.LayerNorm(self.width()) if self.config.use_mean_pooling else None

    def describe(self, out: Any) -> Tensor:
        """The normalised mean, or the first tubelet, (B, D)."""
        x: Tensor = out.last_hidden_state
        if self.fc_norm is None:
            return x[:, 0]
        mean: Tensor = self.fc_norm(x.mean(dim=1))
        return mean
