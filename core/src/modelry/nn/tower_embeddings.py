"""Tokens and patches with learned positions, under the names of CLIP and its successors: position_embedding.

B rows   T positions   C channels   H, W height and width in pixels   N patches   D width
"""

import torch
from torch import Tensor, nn

from modelry.nn.image_sizes import as_pair, grid_of
from modelry.nn.patches import check_pixels, interpolate_positions
from modelry.nn.positions import first_rows, row_positions
from modelry.nn.tower_config import TextTowerConfig, VisionTowerConfig


class TokensWithPositions(nn.Module):
    """The sum of a token's and a position's vector.

    Args:
        config: of the texts' side.
    """

    def __init__(self, config: TextTowerConfig) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        self.position_embedding = nn.Embedding(config.max_position_embeddings, config.hidden_size)

    def forward(self, input_ids: Tensor | None, position_ids: Tensor | None, inputs_embeds: Tensor | None) -> Tensor:
        """(B, T) ids, or (B, T, D) of a caller's own, to (B, T, D).

        Raises:
            ValueError: neither is given, or more positions than the table has.
        """
        if inputs_embeds is None:
            if input_ids is None:
                raise ValueError("give input_ids, (texts, tokens), as a tokenizer makes them, or inputs_embeds")
            inputs_embeds = self.token_embedding(input_ids)
        rows = row_positions(
            position_ids,
            new=inputs_embeds.shape[1],
            limit=self.position_embedding.num_embeddings,
            device=inputs_embeds.device,
            what="a text",
        )
        out: Tensor = inputs_embeds + self.position_embedding(rows)
        return out


class PatchesWithPositions(nn.Module):
    """The sum of a patch's and a position's vector, with a class token before the patches where there is one.

    Args:
        config: of the images' side.
        class_token: whether there is one.
        bias: whether the patches' projection has one.
    """

    def __init__(self, config: VisionTowerConfig, *, class_token: bool, bias: bool) -> None:
        super().__init__()
        width = config.hidden_size
        self.channels = config.num_channels
        self.image_size, self.patch_size = as_pair(config.image_size), as_pair(config.patch_size)
        self.grid = grid_of(config.image_size, config.patch_size)
        self.class_embedding = nn.Parameter(torch.empty(width)) if class_token else None
        self.patch_embedding = nn.Conv2d(config.num_channels, width, self.patch_size, self.patch_size, bias=bias)
        self.position_embedding = nn.Embedding(self.grid[0] * self.grid[1] + class_token, width)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The class token of a new model."""
        if self.class_embedding is not None:
            nn.init.normal_(self.class_embedding, std=self.class_embedding.shape[0] ** -0.5)

    def forward(self, pixel_values: Tensor | None, *, any_size: bool) -> Tensor:
        """(B, C, H, W) to (B, N, D), or (B, 1 + N, D) with a class token.

        Args:
            any_size: take images of other sizes, with interpolated positions.

        Raises:
            ValueError: nothing is given, or images with other channels, of another size, or smaller than a patch.
        """
        pixel_values = check_pixels(pixel_values, channels=self.channels)
        height, width = pixel_values.shape[2:]
        if not any_size and (height, width) != self.image_size:
            raise ValueError(
                f"images of {height} x {width} pixels, and the model's positions are for {self.image_size[0]} x "
                f"{self.image_size[1]}: resize them, or give interpolate_pos_encoding=True"
            )
        grid = grid_of((height, width), self.patch_size)
        x = self.patch_embedding(pixel_values.to(self.patch_embedding.weight.dtype)).flatten(2).transpose(1, 2)
        table, before = first_rows(self.position_embedding, device=x.device)[None], 0
        if self.class_embedding is not None:
            x, before = torch.cat((self.class_embedding.expand(x.shape[0], 1, -1), x), dim=1), 1
        embedded: Tensor = x + interpolate_positions(table, self.grid, grid, before=before)
        return embedded
