"""DETR's encoder of places and decoder of objects: layers that are told the positions anew each time.

B images   S places of the feature map   Q queries   D width   L layers
"""

from typing import Any

import torch
from torch import Tensor, nn

from modelry.nn.activations import activation
from modelry.nn.encoder_decoder import DecoderLayer, EncoderLayer
from modelry.nn.kept import Kept
from modelry.nn.masks import Mask
from modelry_detr.configuration import DetrConfig


def _sizes(config: DetrConfig, side: str) -> dict[str, Any]:
    return {
        "size": config.d_model,
        "heads": getattr(config, f"{side}_attention_heads"),
        "inner": getattr(config, f"{side}_ffn_dim"),
        "act": activation(config.activation_function),
        "norm_first": False,
        "dropout": config.dropout,
        "attention_dropout": config.attention_dropout,
        "activation_dropout": config.activation_dropout,
    }


class DetrEncoder(nn.Module):
    """Every place looks at every other."""

    def __init__(self, config: DetrConfig) -> None:
        super().__init__()
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(EncoderLayer(**_sizes(config, "encoder")) for _ in range(config.encoder_layers))

    def forward(self, x: Tensor, places: Tensor, mask: Mask, hidden: Kept | None) -> Tensor:
        """(B, S, D) to the same.

        Args:
            places: (B, S, D), of the positions.
            hidden: a list for what goes into each layer and comes out of the last.
        """
        x = self.dropout(x)
        for layer in self.layers:
            if hidden is not None:
                hidden.append(x)
            x = layer(x, mask, place=places)
        if hidden is not None:
            hidden.append(x)
        return x


class DetrDecoder(nn.Module):
    """Queries look at each other and at the places, and become objects."""

    def __init__(self, config: DetrConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(DecoderLayer(**_sizes(config, "decoder")) for _ in range(config.decoder_layers))
        self.layernorm = nn.LayerNorm(config.d_model)
        self.keeps_all = config.auxiliary_loss

    def forward(
        self,
        x: Tensor,
        queries: Tensor,
        mask: Mask,
        source: Tensor,
        places: Tensor,
        source_mask: Mask,
        hidden: Kept | None,
    ) -> tuple[Tensor, Tensor | None]:
        """(B, Q, D) to the same, normalised; and, with auxiliary_loss, that of each layer, (L, B, Q, D).

        With auxiliary_loss the next layer takes what was normalised, and the last is normalised twice. The paper has
        it otherwise; the published implementation has it so, and files that were trained with it rely on it.

        Args:
            queries: (B, Q, D), the learned positions of queries.
            source: (B, S, D), the encoder's.
            places: (B, S, D), of the positions.
            hidden: a list for what goes into the first layer, comes out of each, and is normalised at the end.
        """
        each: list[Tensor] = []
        if hidden is not None:
            hidden.append(x)
        for layer in self.layers:
            x = layer(x, mask, source, source_mask, place=queries, source_place=places)
            if hidden is not None:
                hidden.append(x)
            if self.keeps_all:
                x = self.layernorm(x)
                each.append(x)
        x = self.layernorm(x)
        if hidden is not None:
            hidden[-1] = x
        return x, torch.stack(each) if each else None
