"""The base model of decoders with mixtures of experts: `RotaryDecoder`, and what its routers said.

N tokens, of all rows   X experts
"""

from typing import Any

from torch import Tensor

from modelry.decoder import RotaryDecoder
from modelry.nn.kept import Kept
from modelry.outputs import MoeModelOutputWithPast


class SparseDecoder(RotaryDecoder):
    """A decoder whose layers are `modelry.nn.experts.SparseDecoderLayer`."""

    def forward(  # type: ignore[override]  # all others are handed on by name
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        *,
        output_router_logits: bool | None = None,
        routed: Kept | None = None,
        **more: Any,
    ) -> MoeModelOutputWithPast:
        """Run the T new positions.

        Args:
            output_router_logits: also return each router's logits, (N, X); when None, as the configuration says.
            routed: a list of the caller's that they are appended to.
            more: and the others: those of `RotaryDecoder`.
        """
        wanted = self.config.output_router_logits if output_router_logits is None else output_router_logits
        if wanted and routed is None:
            routed = Kept()
        out = super().forward(input_ids, attention_mask, position_ids, routed=routed, **more)
        return MoeModelOutputWithPast(**out, router_logits=None if routed is None else tuple(routed))
