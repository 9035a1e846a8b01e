"""The head that scores the next token, over a decoder with mixtures of experts: their balance is part of the loss.

B batch   T new positions   N tokens, of all rows   X experts
"""

from typing import Any

from torch import Tensor

from modelry.heads.causal_lm import CausalLM
from modelry.nn.experts import balancing_loss
from modelry.nn.kept import Kept
from modelry.outputs import MoeCausalLMOutputWithPast


class SparseCausalLM(CausalLM):
    """`CausalLM` that also returns what the routers said. A family names its decoder in `base_class`."""

    def forward(  # type: ignore[override]  # attention_mask and labels are looked at, all others handed on by name
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        *,
        labels: Tensor | None = None,
        output_router_logits: bool | None = None,
        **more: Any,
    ) -> MoeCausalLMOutputWithPast:
        """Score the next token at each position.

        Args:
            labels: (B, T); with router logits, config.router_aux_loss_coef times the unevenness is added to the loss.
            output_router_logits: also return each router's logits, (N, X), and their unevenness; when None, as the
                configuration says.
            more: and the others: those of `CausalLM`.
        """
        wanted = self.config.output_router_logits if output_router_logits is None else output_router_logits
        routed = Kept() if wanted else None
        out = super().forward(input_ids, attention_mask, labels=labels, routed=routed, **more)
        loss, uneven = out.loss, None
        if routed:
            assert out.logits is not None
            new = routed[0].shape[0] // out.logits.shape[0]
            mask = None if attention_mask is None or attention_mask.dim() != 2 else attention_mask[:, -new:]
            uneven = balancing_loss(routed, chosen=self.config.num_experts_per_tok, attention_mask=mask)
            if loss is not None:
                loss = loss + self.config.router_aux_loss_coef * uneven.to(loss.device)
        return MoeCausalLMOutputWithPast(
            loss=loss,
            aux_loss=uneven,
            logits=out.logits,
            past_key_values=out.past_key_values,
            hidden_states=out.hidden_states,
            attentions=out.attentions,
            router_logits=None if routed is None else tuple(routed),
        )
