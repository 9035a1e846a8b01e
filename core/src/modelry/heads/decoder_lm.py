"""The head that scores the next token by the decoder of an encoder-decoder, which may look at any encoder's output.

B batch   T new positions   S positions of an encoder's output   V vocabulary   D hidden width
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from modelry.cache import Cache
from modelry.checkpoint.weight_table import Former, WeightTable
from modelry.configuration import ModelConfig
from modelry.heads.losses import cross_entropy
from modelry.model import PreTrainedModel
from modelry.nn.linear import Linear
from modelry.outputs import CausalLMOutputWithCrossAttentions


class _Wrapper(nn.Module):
    """Gives the decoder the name it has beside an encoder."""

    def __init__(self, decoder: PreTrainedModel) -> None:
        super().__init__()
        self.decoder = decoder


class DecoderLM(PreTrainedModel):
    """A decoder at `model.decoder` and `lm_head`, (V, D). A family names its decoder in `base_class`.

    Its configuration says is_decoder, and not is_encoder_decoder, whatever it said before.
    """

    base_class: ClassVar[type[PreTrainedModel]]
    input_embeddings_name = "decoder.embed_tokens"
    loss_type: ClassVar[str] = "ForCausalLM"
    """The ecosystem's word for a loss that compares each position with the next label: trainers count labels by it."""
    tied_weights: ClassVar[Mapping[str, str]] = {"lm_head.weight": "model.decoder.embed_tokens.weight"}
    weight_table: ClassVar[WeightTable | None] = WeightTable(
        Former("model.shared.weight", "model.decoder.embed_tokens.weight")
    )
    unread: ClassVar[tuple[str, ...]] = ("model.encoder.", "model.shared.", "final_logits_bias")

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config.model_copy(update={"is_decoder": True, "is_encoder_decoder": False}))
        values: Any = self.config
        self.model = _Wrapper(self.base_class(self.config))
        self.add_module(self.output_embeddings_name, Linear(values.hidden_size, values.vocab_size, bias=False))

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        logits_to_keep: int | Tensor = 0,
    ) -> CausalLMOutputWithCrossAttentions:
        """Score the next token at each position, or at the ones asked for.

        Args:
            encoder_hidden_states: (B, S, D of the encoder); None for a decoder that stands alone.
            labels: (B, T), the next token of each position; they are not shifted here, as published.
            logits_to_keep: so many of the last positions, 0 for all; or their numbers, (N,) int64.
            input_ids: and the others: those of the decoder.
        """
        out = self.model.decoder(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            encoder_hidden_states=encoder_hidden_states,
            encoder_attention_mask=encoder_attention_mask,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
        )
        hidden: Tensor = out.last_hidden_state
        if not isinstance(logits_to_keep, int):
            hidden = hidden[:, logits_to_keep.to(hidden.device)]
        elif logits_to_keep:
            hidden = hidden[:, -logits_to_keep:]
        logits = self.scored(hidden)
        loss = None if labels is None else cross_entropy(logits.flatten(0, 1), labels.flatten())
        return CausalLMOutputWithCrossAttentions(
            loss, logits, out.past_key_values, out.hidden_states, out.attentions, out.cross_attentions
        )

    def scored(self, hidden: Tensor) -> Tensor:
        """Scores (B, T, V) of the decoder's states (B, T, D)."""
        logits: Tensor = self.get_submodule(self.output_embeddings_name)(hidden)
        return logits

    def get_decoder(self) -> nn.Module:
        """The part that writes."""
        return self.model.decoder
