"""The head that fills in masked patches of an image. Xie et al. 2021, https://arxiv.org/abs/2111.09886.

B images   C channels   H, W height and width in pixels   G, K rows and columns of the last map   D its width   S stride
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from modelry.configuration import ModelConfig
from modelry.image_outputs import MaskedImageModelingOutput
from modelry.model import PreTrainedModel
from modelry.nn.image_sizes import as_pair


class MaskedImageModeling(PreTrainedModel):
    """A base model with a mask token and `decoder`, each place of the last map to S x S pixels."""

    base_class: ClassVar[type[PreTrainedModel]]
    base_options: ClassVar[Mapping[str, Any]] = {"pooling": False, "masking": True}
    before: ClassVar[int] = 0
    """Tokens in front of the patches."""
    main_input_name: ClassVar[str] = "pixel_values"

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.add_module(self.base_model_prefix, self.base_class(self.config, **self.base_options))
        side = self.config.encoder_stride
        self.decoder = nn.Sequential(
            nn.Conv2d(self.config.hidden_size, side * side * self.config.num_channels, kernel_size=1),
            nn.PixelShuffle(side),
        )

    def forward(
        self,
        pixel_values: Tensor | None = None,
        bool_masked_pos: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        **more: Any,
    ) -> MaskedImageModelingOutput:
        """Reconstruct the images.

        Args:
            pixel_values: (B, C, H, W).
            bool_masked_pos: (B, patches) bool, True for a masked one; gives the loss, the mean
                distance of masked pixels.
            more: and the others: those of the base model.

        Raises:
            ValueError: there is a mask, and the reconstruction is not as large as the images.
        """
        out = self.base_model(
            pixel_values=pixel_values,
            bool_masked_pos=bool_masked_pos,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
            **more,
        )
        assert pixel_values is not None
        height, width = pixel_values.shape[2:]
        states = out.last_hidden_state[:, self.before :]
        rows, columns = _grid(states.shape[1], height, width)
        plane = states.transpose(1, 2).reshape(states.shape[0], -1, rows, columns)  # (B, D, G, K)
        made: Tensor = self.decoder(plane)  # (B, C, G S, K S)
        loss = None
        if bool_masked_pos is not None:
            if made.shape != pixel_values.shape:
                raise ValueError(
                    f"images of {height} x {width} pixels are reconstructed as {made.shape[2]} x {made.shape[3]}: "
                    f"encoder_stride {self.config.encoder_stride} does not fit patch_size {self.config.patch_size}"
                )
            patch = as_pair(self.config.patch_size)
            masked = bool_masked_pos.reshape(-1, 1, height // patch[0], width // patch[1]).to(made.dtype)
            masked = masked.repeat_interleave(patch[0], 2).repeat_interleave(patch[1], 3)
            apart = F.l1_loss(pixel_values, made, reduction="none") * masked
            loss = apart.sum() / (masked.sum() + 1e-5) / self.config.num_channels
        return MaskedImageModelingOutput(
            loss, made, out.hidden_states, out.get("attentions"), out.get("reshaped_hidden_states")
        )


def _grid(places: int, height: int, width: int) -> tuple[int, int]:
    """Rows and columns of so many places, in the proportions of the image."""
    rows = max(1, round((places * height / width) ** 0.5))
    if places % rows:
        raise ValueError(f"{places} places do not make a map of an image of {height} x {width} pixels")
    return rows, places // rows
