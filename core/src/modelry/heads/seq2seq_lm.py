"""The head that writes an answer to an encoder's input.

B batch   T new positions of the decoder   D hidden width   V vocabulary
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelry.cache import Cache
from modelry.configuration import ModelConfig
from modelry.heads.losses import cross_entropy
from modelry.heads.seq2seq_model import Seq2SeqHead, beside_states
from modelry.nn.linear import Linear
from modelry.outputs import Seq2SeqLMOutput


class Seq2SeqLM(Seq2SeqHead):
    """An encoder-decoder and `lm_head`, (V, D), which is `shared` where the configuration ties them.

    A family names its base model in `base_class`, and says in `scored` what else stands between states and scores.
    """

    input_embeddings_name: ClassVar[str] = "shared"

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        text: Any = self.config
        self.lm_head = Linear(text.hidden_size, text.vocab_size, bias=False)

    def scored(self, hidden: Tensor) -> Tensor:
        """Scores (B, T, V) of the decoder's states (B, T, D)."""
        logits: Tensor = self.lm_head(hidden)
        return logits

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        encoder_outputs: Any = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        decoder_inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        logits_to_keep: int = 0,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Seq2SeqLMOutput:
        """Score the next token of the answer at each position, or at the last ones.

        Args:
            labels: (B, T), the answer; -100 does not count. The decoder then reads them shifted to the right, where
                nothing else is given, and keeps no cache.
            logits_to_keep: so many of the last positions, 0 for all.
            num_items_in_batch: see `modelry.heads.losses.cross_entropy`.
            input_ids: and the others: see `Seq2SeqModel.forward`.

        Raises:
            ValueError: labels are not one for each position that is scored.
        """
        if labels is not None:
            use_cache = False
            if decoder_input_ids is None and decoder_inputs_embeds is None:
                decoder_input_ids = self.shifted(self.config, labels)
        out = self.run(
            input_ids=input_ids,
            attention_mask=attention_mask,
            decoder_input_ids=decoder_input_ids,
            decoder_attention_mask=decoder_attention_mask,
            encoder_outputs=encoder_outputs,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            decoder_inputs_embeds=decoder_inputs_embeds,
            use_cache=use_cache,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
        )
        hidden = out.last_hidden_state
        assert hidden is not None
        if logits_to_keep:
            hidden = hidden[:, -logits_to_keep:]
        logits = self.scored(hidden)
        loss = None
        if labels is not None:
            if logits.shape[:-1] != labels.shape:
                raise ValueError(
                    f"labels have shape {tuple(labels.shape)} and logits {tuple(logits.shape)}: give one label for "
                    "each position that the decoder reads, and no logits_to_keep"
                )
            loss = cross_entropy(logits.flatten(0, 1), labels.flatten(), num_items_in_batch=num_items_in_batch)
        return Seq2SeqLMOutput(loss, logits, *beside_states(out))

    def prepare_inputs_for_generation(
        self, input_ids: Tensor, past_key_values: Cache | None = None, **more: Any
    ) -> dict[str, Any]:
        """Arguments of forward for the next step of a loop of one's own. `generate` has a session and never calls this.

        Args:
            input_ids: (B, T), all ids of the answer so far; those that the cache has seen are left out.
            more: encoder_outputs, attention_mask and what else forward takes.
        """
        seen = 0 if past_key_values is None else past_key_values.seen
        return {
            **more,
            "decoder_input_ids": input_ids[:, seen:],
            "past_key_values": past_key_values,
            "use_cache": True,
        }

    def prepare_decoder_input_ids_from_labels(self, labels: Tensor) -> Tensor:
        """What the decoder reads for labels (B, T): the ecosystem's name of `shifted`."""
        return self.shifted(self.config, labels)


class BiasedSeq2SeqLM(Seq2SeqLM):
    """The same with `final_logits_bias`, (1, V), which checkpoints of the BART line store and nobody trains."""

    tied_weights: ClassVar[Mapping[str, str]] = {"lm_head.weight": "model.shared.weight"}
    final_logits_bias: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.register_buffer("final_logits_bias", torch.zeros(1, self.lm_head.out_features))

    def scored(self, hidden: Tensor) -> Tensor:
        return super().scored(hidden) + self.final_logits_bias

    def resize_token_embeddings(self, count: int | None = None, *, pad_to_multiple_of: int | None = None) -> nn.Module:
        embedding = super().resize_token_embeddings(count, pad_to_multiple_of=pad_to_multiple_of)
        bias = self.final_logits_bias
        more = self.config.vocab_size - bias.shape[1]
        self.final_logits_bias = F.pad(bias, (0, more)) if more > 0 else bias[:, : self.config.vocab_size].clone()
        return embedding
