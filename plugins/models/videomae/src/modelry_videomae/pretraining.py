"""VideoMAE that fills in the pixels of masked tubelets, as it was pretrained.

B videos   T frames   C channels   X, Y height and width in pixels   N tubelets of a video   V of them visible, M masked
E width of the decoder   P pixels of a tubelet
Paper: https://arxiv.org/abs/2203.12602.
"""

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelry.errors import ConfigError
from modelry.model import PreTrainedModel
from modelry.nn.linear import Linear
from modelry.nn.masks import bidirectional_mask
from modelry.outputs import ModelOutput
from modelry_videomae.configuration import VideoMAEConfig
from modelry_videomae.masking import rows_of
from modelry_videomae.modeling import VideoMAELayer, VideoMAEModel, sinusoids
from modelry_videomae.weights import biases_of

MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the colours of ImageNet, with which published models were given their pixels."""


@dataclass
class VideoMAEForPreTrainingOutput(ModelOutput):
    """Masked tubelets filled in."""

    loss: Tensor | None = None
    """The mean squared distance of pixels."""
    logits: Tensor | None = None
    """(B, M, P C)."""
    hidden_states: tuple[Tensor, ...] | None = None
    """Of the encoder."""
    attentions: tuple[Tensor, ...] | None = None


@torch.no_grad()
def pixels_of_tubelets(pixel_values: Tensor, tubelet: tuple[int, int, int]) -> Tensor:
    """(B, T, C, X, Y) to (B, N, P, C) float32; of three channels, colours from 0 to 1.

    What is left over behind the last whole tubelet is not looked at.
    """
    frames = pixel_values.float()
    if frames.shape[2] == len(MEAN):
        mean, spread = (torch.tensor(one, device=frames.device)[:, None, None] for one in (MEAN, SPREAD))
        frames = frames * spread + mean
    depth, rows, columns = tubelet
    videos, count, channels, height, width = frames.shape
    along, down, across = count // depth, height // rows, width // columns  # how many tubelets there are
    whole = frames[:, : along * depth, :, : down * rows, : across * columns]
    cut = whole.reshape(videos, along, depth, channels, down, rows, across, columns)
    placed = cut.permute(0, 1, 4, 6, 2, 5, 7, 3)  # (B, along, down, across, depth, rows, columns, C)
    return placed.reshape(videos, along * down * across, depth * rows * columns, channels)


class VideoMAEDecoder(nn.Module):
    """Layers over all tubelets, and the pixels of the last ones."""

    def __init__(self, config: VideoMAEConfig) -> None:
        super().__init__()
        width = config.decoder_hidden_size
        self.decoder_layers = nn.ModuleList(
            VideoMAELayer(
                config,
                width=width,
                inner=config.decoder_intermediate_size,
                heads=config.decoder_num_attention_heads,
            )
            for _ in range(config.decoder_num_hidden_layers)
        )
        self.norm = nn.LayerNorm(width)
        self.head = Linear(width, prod(config.tubelet) * config.num_channels)

    def forward(self, x: Tensor, count: int) -> Tensor:
        """(B, N, E) to (B, M, P C), with M = `count`."""
        for layer in self.decoder_layers:
            x = layer(x, bidirectional_mask())
        pixels: Tensor = self.head(self.norm(x[:, -count:]))
        return pixels


class VideoMAEForPreTraining(PreTrainedModel):
    """VideoMAE with a small decoder that sees mask tokens in place of what was left out.

    Raises:
        ConfigError: norm_pix_loss is false for videos that have no colours.
    """

    base_class = VideoMAEModel
    base_model_prefix = "videomae"
    main_input_name = "pixel_values"
    weight_table = biases_of("decoder.decoder_layers")
    position_embeddings: Tensor

    def __init__(self, config: VideoMAEConfig) -> None:
        super().__init__(config)
        if config.num_channels != len(MEAN) and not config.norm_pix_loss:
            raise ConfigError(
                f"norm_pix_loss is false and num_channels {config.num_channels}: plain pixels are learned as colours, "
                f"of {len(MEAN)} channels. Set norm_pix_loss to true"
            )
        width = config.decoder_hidden_size
        self.videomae = VideoMAEModel(config)
        self.encoder_to_decoder = Linear(config.hidden_size, width, bias=False)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        self.register_buffer("position_embeddings", sinusoids(config.num_tubelets, width), persistent=False)
        self.decoder = VideoMAEDecoder(config)

    def forward(
        self,
        pixel_values: Tensor | None = None,
        bool_masked_pos: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> VideoMAEForPreTrainingOutput:
        """Fill in the masked tubelets; always with the loss.

        Args:
            pixel_values: (B, T, C, X, Y).
            bool_masked_pos: (B, N) bool, True for masked tubelets, M in each video.
            output_hidden_states: see `VideoMAEModel`; of the encoder.
            output_attentions: the same.

        Raises:
            ValueError: nothing is masked, or see `VideoMAEModel`.
        """
        if bool_masked_pos is None or not bool_masked_pos.any():
            raise ValueError("give bool_masked_pos, (videos, tubelets), with True for those that are to be filled in")
        out = self.videomae(
            pixel_values,
            bool_masked_pos,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
        )
        assert pixel_values is not None
        masked = bool_masked_pos.bool()
        seen = self.encoder_to_decoder(out.last_hidden_state)  # (B, V, E)
        places = self.position_embeddings.to(seen.dtype).expand(seen.shape[0], -1, -1)  # (B, N, E)
        hidden = self.mask_token + rows_of(places, masked)  # (B, M, E)
        logits = self.decoder(torch.cat((seen + rows_of(places, ~masked), hidden), dim=1), hidden.shape[1])
        wanted = rows_of(self.targets(pixel_values), masked)
        return VideoMAEForPreTrainingOutput(
            loss=F.mse_loss(logits.float(), wanted),
            logits=logits,
            hidden_states=out.hidden_states,
            attentions=out.attentions,
        )

    @torch.no_grad()
    def targets(self, pixel_values: Tensor) -> Tensor:
        """What is learned of each tubelet, (B, N, P C) float32."""
        pixels = pixels_of_tubelets(pixel_values, self.config.tubelet)  # (B, N, P, C)
        if self.config.norm_pix_loss:
            apart = pixels - pixels.mean(dim=2, keepdim=True)
            pixels = apart / (pixels.var(dim=2, keepdim=True).sqrt() + 1e-6)
        return pixels.flatten(2)
