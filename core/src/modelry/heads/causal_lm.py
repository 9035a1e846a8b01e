"""The head that scores the next token.

B batch   T new positions   V vocabulary   D hidden width
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from modelry.cache import Cache
from modelry.configuration import ModelConfig
from modelry.heads.chunked_loss import can_be_chunked, chunked_next_token_loss
from modelry.heads.losses import next_token_loss
from modelry.model import PreTrainedModel
from modelry.nn.linear import Linear
from modelry.outputs import CausalLMOutputWithCrossAttentions, CausalLMOutputWithPast


class CausalLM(PreTrainedModel):
    """A decoder and `lm_head`, (V, D), which is the input embedding where the configuration ties them.

    A family names its decoder in `base_class`. One whose head is more than a projection names it in `head_name` and
    makes it in `make_head`.
    """

    base_class: ClassVar[type[PreTrainedModel]]
    base_options: ClassVar[Mapping[str, Any]] = {}
    head_name: ClassVar[str] = "lm_head"
    lm_head: Linear
    """Of the families that have nothing else in `head_name`."""
    loss_type: ClassVar[str] = "ForCausalLM"
    """The ecosystem's word for a loss that compares each position with the next label: trainers count labels by it."""
    tied_weights: ClassVar[Mapping[str, str]] = {"lm_head.weight": "model.embed_tokens.weight"}

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        text: Any = self.config.get_text_config()
        self.add_module(self.base_model_prefix, self.base_class(self.config, **self.base_options))
        self.add_module(self.head_name, self.make_head(text))

    def make_head(self, text: Any) -> nn.Module:
        """(B, T, D) to (B, T, V). `text`: the text model's configuration."""
        return Linear(text.hidden_size, text.vocab_size, bias=False)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        num_items_in_batch: Tensor | int | None = None,
        skip_logits: bool = False,
        **more: Any,
    ) -> CausalLMOutputWithPast | CausalLMOutputWithCrossAttentions:
        """Score the next token at each position, or at the ones asked for.

        Args:
            labels: (B, T); the loss compares each position with the next one's label, -100 does not count.
            logits_to_keep: so many of the last positions, 0 for all; or their numbers, (N,) int64.
            num_items_in_batch: see `modelry.heads.losses.cross_entropy`.
            skip_logits: nobody needs them beside the loss of `labels`, which then takes less memory and time.
            more: and the others: those of the base model.
        """
        out = self.base_model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
            **more,
        )
        hidden: Tensor = out.last_hidden_state
        if not isinstance(logits_to_keep, int):
            hidden = hidden[:, logits_to_keep.to(hidden.device)]
        elif 0 < logits_to_keep < hidden.shape[1]:
            hidden = hidden[:, -logits_to_keep:]
        head = self.get_submodule(self.head_name)
        logits: Tensor | None = None
        loss: Tensor | None = None
        if skip_logits and labels is not None and can_be_chunked(head):
            loss = chunked_next_token_loss(head, hidden, labels, num_items_in_batch=num_items_in_batch)
        else:
            logits = scores = head(hidden)
            if labels is not None:
                loss = next_token_loss(scores, labels, num_items_in_batch=num_items_in_batch)
        if "cross_attentions" in out:
            return CausalLMOutputWithCrossAttentions(
                loss, logits, out.past_key_values, out.hidden_states, out.attentions, out.cross_attentions
            )
        return CausalLMOutputWithPast(loss, logits, out.past_key_values, out.hidden_states, out.attentions)

    def prepare_inputs_for_generation(
        self,
        input_ids: Tensor,
        past_key_values: Cache | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """Arguments of forward for the next step of a loop of one's own. `generate` has a session and never calls this.

        Args:
            input_ids: (B, S), all ids so far; those that the cache has seen are left out.
            attention_mask: (B, S).
            inputs_embeds: (B, S, D), in place of ids as long as the cache is empty.
        """
        seen = 0 if past_key_values is None else past_key_values.seen
        new: dict[str, Any] = {"input_ids": input_ids[:, seen:]}
        if inputs_embeds is not None and seen == 0:
            new = {"inputs_embeds": inputs_embeds}
        return {**more, **new, "past_key_values": past_key_values, "attention_mask": attention_mask, "use_cache": True}
