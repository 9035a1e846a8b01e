"""Images as sequences of patches: embedding them, and their positions.

B images   C channels   H, W height and width in pixels   G, K rows and columns of patches   N = G K   D width
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelry.nn.image_sizes import ImageSize, as_pair, grid_of


def check_pixels(pixel_values: Tensor | None, *, channels: int) -> Tensor:
    """The pixel values, if they are a batch of images with that many channels.

    Raises:
        ValueError: nothing is given, or another shape.
    """
    if pixel_values is None:
        raise ValueError("give pixel_values, (images, channels, height, width), as an image processor makes them")
    if pixel_values.dim() != 4 or pixel_values.shape[1] != channels:
        raise ValueError(
            f"pixel_values have shape {tuple(pixel_values.shape)}: (images, {channels}, height, width) is needed"
        )
    return pixel_values


class PatchEmbeddings(nn.Module):
    """Each patch becomes a vector by one linear map. Dosovitskiy et al. 2020, https://arxiv.org/abs/2010.11929.

    Args:
        channels: C.
        width: D.
        patch_size: side of a patch, or height and width.
    """

    def __init__(self, channels: int, width: int, *, patch_size: ImageSize) -> None:
        super().__init__()
        self.channels, self.patch_size = channels, as_pair(patch_size)
        self.projection = nn.Conv2d(channels, width, kernel_size=self.patch_size, stride=self.patch_size)

    def forward(self, pixel_values: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """(B, C, H, W) to (B, N, D), and (G, K). What is left over at the right and bottom is not looked at.

        Raises:
            ValueError: an image is smaller than a patch, or has other channels.
        """
        check_pixels(pixel_values, channels=self.channels)
        height, width = pixel_values.shape[2:]
        if height < self.patch_size[0] or width < self.patch_size[1]:
            raise ValueError(f"images of {height} x {width} pixels are smaller than a patch, {self.patch_size}")
        patches: Tensor = self.projection(pixel_values.to(self.projection.weight.dtype))  # (B, D, G, K)
        return patches.flatten(2).transpose(1, 2).contiguous(), (patches.shape[2], patches.shape[3])


class ImageEmbeddings(nn.Module):
    """A class token, a distillation token where asked for, and patches, with learned positions.

    Patches may be replaced by a mask token.

    Args:
        channels: C.
        width: D.
        image_size: of the images that the positions are learned for.
        patch_size: side of a patch, or height and width.
        mask_shape: shape of the mask token as it is stored; None for a model without one.
        distilled: a second token stands behind the class token. Touvron et al. 2020, https://arxiv.org/abs/2012.12877.
        dropout: of the sum.
        spread: standard deviation of new tokens and positions.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        *,
        image_size: ImageSize,
        patch_size: ImageSize,
        mask_shape: tuple[int, ...] | None = None,
        distilled: bool = False,
        dropout: float = 0.0,
        spread: float = 0.02,
    ) -> None:
        super().__init__()
        self.image_size, self.grid, self.spread = as_pair(image_size), grid_of(image_size, patch_size), spread
        self.cls_token = nn.Parameter(torch.empty(1, 1, width))
        self.distillation_token = nn.Parameter(torch.empty(1, 1, width)) if distilled else None
        self.mask_token = None if mask_shape is None else nn.Parameter(torch.zeros(mask_shape))
        self.patch_embeddings = PatchEmbeddings(channels, width, patch_size=patch_size)
        self.before = 2 if distilled else 1
        self.position_embeddings = nn.Parameter(torch.empty(1, self.before + self.grid[0] * self.grid[1], width))
        self.dropout = nn.Dropout(dropout)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Tokens and positions of a new model."""
        with torch.no_grad():
            nn.init.trunc_normal_(self.cls_token, std=self.spread)
            nn.init.trunc_normal_(self.position_embeddings, std=self.spread)
            if self.distillation_token is not None:
                nn.init.trunc_normal_(self.distillation_token, std=self.spread)
            if self.mask_token is not None:
                self.mask_token.zero_()

    def forward(
        self, pixel_values: Tensor, masked: Tensor | None = None, *, any_size: bool
    ) -> tuple[Tensor, tuple[int, int]]:
        """(B, C, H, W) to (B, tokens in front + N, D), and (G, K).

        Args:
            masked: (B, N) bool, True where the mask token stands in.
            any_size: take images of other sizes, with interpolated positions.

        Raises:
            ValueError: images of another size, or a mask for a model without a mask token.
        """
        check_pixels(pixel_values, channels=self.patch_embeddings.channels)
        height, width = pixel_values.shape[2:]
        if not any_size and (height, width) != self.image_size:
            raise ValueError(
                f"images of {height} x {width} pixels, and the model's positions are for "
                f"{self.image_size[0]} x {self.image_size[1]}: resize them, or give interpolate_pos_encoding=True"
            )
        x, grid = self.patch_embeddings(pixel_values)  # (B, N, D)
        if masked is not None:
            x = mask_patches(x, masked, self.mask_token)
        positions = interpolate_positions(self.position_embeddings, self.grid, grid, before=self.before)
        front = [token for token in (self.cls_token, self.distillation_token) if token is not None]
        x = torch.cat([*(token.expand(x.shape[0], -1, -1) for token in front), x], dim=1)
        return self.dropout(x + positions), grid


def mask_patches(x: Tensor, masked: Tensor, token: Tensor | None) -> Tensor:
    """Let `token` stand in for the masked patches.

    Args:
        x: (B, N, D).
        masked: (B, N) bool or 0 and 1.
        token: D values.

    Raises:
        ValueError: another shape, or there is no token.
    """
    if token is None:
        raise ValueError("bool_masked_pos needs a mask token, which this head does not have: use masked image modeling")
    if masked.shape != x.shape[:2]:
        raise ValueError(f"bool_masked_pos has shape {tuple(masked.shape)}; (images, patches) is {tuple(x.shape[:2])}")
    return torch.where(masked.bool().unsqueeze(-1), token.view(1, 1, -1).to(x.dtype), x)


def interpolate_positions(table: Tensor, old: tuple[int, int], new: tuple[int, int], *, before: int = 0) -> Tensor:
    """Learned positions of a grid, for another grid: bicubic, in float32.

    Args:
        table: (1, before + old rows x old columns, D).
        before: positions of tokens that are no patches, which stay as they are.

    Returns:
        (1, before + new rows x new columns, D).
    """
    if old == new:
        return table
    kept, patches = table[:, :before], table[:, before:]
    plane = patches.float().reshape(1, *old, -1).permute(0, 3, 1, 2)  # (1, D, G, K)
    plane = F.interpolate(plane, size=new, mode="bicubic", align_corners=False)
    return torch.cat((kept, plane.flatten(2).transpose(1, 2).to(table.dtype)), dim=1)
