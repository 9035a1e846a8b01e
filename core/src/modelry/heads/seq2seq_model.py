"""An encoder and a decoder that looks at its output: the base model of text-to-text families, and the way through it.

B batch   S positions of the encoder's input   T new positions of the decoder   D hidden width   V vocabulary
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from modelry.cache import Cache
from modelry.configuration import ModelConfig
from modelry.heads.shifting import shift_right
from modelry.model import PreTrainedModel
from modelry.outputs import BaseModelOutput, Seq2SeqModelOutput


def encode_and_decode(
    model: Any,
    *,
    encoder_outputs: BaseModelOutput | Sequence[Any] | None = None,
    attention_mask: Tensor | None = None,
    decoder_input_ids: Tensor | None = None,
    decoder_attention_mask: Tensor | None = None,
    past_key_values: Cache | None = None,
    decoder_inputs_embeds: Tensor | None = None,
    decoder_position_ids: Tensor | None = None,
    use_cache: bool | None = None,
    output_hidden_states: bool | None = None,
    output_attentions: bool | None = None,
    **inputs: Any,
) -> Seq2SeqModelOutput:
    """Run the encoder, where its output is not given, and then the decoder.

    Args:
        model: has `encoder` and `decoder`.
        encoder_outputs: of an earlier pass: a record, or a tuple whose first is (B, S, D).
        attention_mask: (B, S), 0 at padding of the encoder's input.
        decoder_input_ids: (B, T).
        decoder_attention_mask: (B, all positions of the decoder), 0 at padding.
        past_key_values: what the decoder has seen; its part about the encoder is computed in its first pass.
        decoder_inputs_embeds: (B, T, D), instead of the ids.
        decoder_position_ids: (B, T), for decoders that count positions.
        inputs: of the encoder: input_ids, inputs_embeds.
    """
    flags = {"output_hidden_states": output_hidden_states, "output_attentions": output_attentions}
    if encoder_outputs is None:
        encoder_outputs = model.encoder(attention_mask=attention_mask, **inputs, **flags)
    elif not hasattr(encoder_outputs, "last_hidden_state"):
        encoder_outputs = BaseModelOutput(*encoder_outputs)
    encoded: Any = encoder_outputs
    places = {} if decoder_position_ids is None else {"position_ids": decoder_position_ids}
    out = model.decoder(
        input_ids=decoder_input_ids,
        attention_mask=decoder_attention_mask,
        encoder_hidden_states=encoded.last_hidden_state,
        encoder_attention_mask=attention_mask,
        past_key_values=past_key_values,
        inputs_embeds=decoder_inputs_embeds,
        use_cache=use_cache,
        **places,
        **flags,
    )
    return Seq2SeqModelOutput(
        last_hidden_state=out.last_hidden_state,
        past_key_values=out.past_key_values,
        decoder_hidden_states=out.hidden_states,
        decoder_attentions=out.attentions,
        cross_attentions=out.cross_attentions,
        encoder_last_hidden_state=encoded.last_hidden_state,
        encoder_hidden_states=encoded.hidden_states,
        encoder_attentions=encoded.attentions,
    )


class Seq2SeqModel(PreTrainedModel):
    """`shared` token embeddings, `encoder` and `decoder`. A family names the classes of the two."""

    encoder_class: ClassVar[type[PreTrainedModel]]
    decoder_class: ClassVar[type[PreTrainedModel]]
    input_embeddings_name = "shared"

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.shared = self.embedding(config)
        self.encoder = self.encoder_class(config)
        self.decoder = self.decoder_class(config)

    @staticmethod
    def embedding(config: Any) -> nn.Embedding:
        """The embedding of tokens, (V, D), that both sides look up."""
        return nn.Embedding(config.vocab_size, config.hidden_size)

    @staticmethod
    def shifted(config: Any, ids: Tensor) -> Tensor:
        """What the decoder reads to learn to write `ids`, (B, T).

        Raises:
            ValueError: the configuration does not say what answers begin with, or what padding is.
        """
        start, padding = config.decoder_start_token_id, config.pad_token_id
        if start is None or padding is None:
            raise ValueError(
                f"decoder_start_token_id is {start} and pad_token_id {padding}: set both in the configuration, "
                "or give decoder_input_ids"
            )
        return shift_right(ids, start=start, padding=padding)

    def get_encoder(self) -> nn.Module:
        """The part that reads the input."""
        return self.encoder

    def get_decoder(self) -> nn.Module:
        """The part that writes the answer."""
        return self.decoder

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        encoder_outputs: BaseModelOutput | Sequence[Any] | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        decoder_inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> Seq2SeqModelOutput:
        """Run the encoder, where its output is not given, and the decoder.

        Args:
            input_ids: (B, S) int64; or `inputs_embeds`, (B, S, D); neither with `encoder_outputs`.
            decoder_input_ids: (B, T) int64; or `decoder_inputs_embeds`, (B, T, D). The input itself, shifted to the
                right, when both are None.
            use_cache: return a cache, a new one where none is given. When None, as the configuration says, but not
                in training.
            attention_mask: and the others: see `encode_and_decode`.

        Raises:
            ValueError: nothing says what the decoder reads, or inputs that exclude each other are given.
        """
        if decoder_input_ids is None and decoder_inputs_embeds is None:
            if input_ids is None:
                raise ValueError("the decoder has nothing to read: give decoder_input_ids or decoder_inputs_embeds")
            decoder_input_ids = self.shifted(self.config, input_ids)
        return encode_and_decode(
            self,
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


class Seq2SeqHead(PreTrainedModel):
    """What heads over a `Seq2SeqModel` have alike: where its parts are, and how to run them.

    Their `base_model_prefix` is the attribute that holds the base model, or "" where published checkpoints have its
    parts beside the head.
    """

    base_class: ClassVar[type[Seq2SeqModel]]

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        base = self.base_class(config)
        if self.base_model_prefix:
            self.add_module(self.base_model_prefix, base)
        else:
            for name, part in base.named_children():
                self.add_module(name, part)

    def run(self, *, input_ids: Tensor | None = None, **inputs: Any) -> Seq2SeqModelOutput:
        """The pass of the base model; its arguments are those of `Seq2SeqModel.forward`."""
        inner = self._modules.get(self.base_model_prefix)
        if inner is not None:
            found: Seq2SeqModelOutput = inner(input_ids=input_ids, **inputs)
            return found
        return self.base_class.forward(self, input_ids=input_ids, **inputs)  # type: ignore[arg-type] # has its parts

    def shifted(self, config: Any, ids: Tensor) -> Tensor:
        """What the decoder reads to learn to write `ids`: as the base model has it."""
        return self.base_class.shifted(config, ids)

    def get_encoder(self) -> nn.Module:
        """The part that reads the input."""
        encoder: Any = self.base_model.encoder
        return encoder  # type: ignore[no-any-return] # as the base class declares it

    def get_decoder(self) -> nn.Module:
        """The part that writes the answer."""
        decoder: Any = self.base_model.decoder
        return decoder  # type: ignore[no-any-return] # as the base class declares it


def beside_states(out: Seq2SeqModelOutput) -> tuple[Any, ...]:
    """All that a base model gives but the decoder's last states, in the order in which heads give it too."""
    return tuple(getattr(out, name) for name in list(out.__dataclass_fields__)[1:])
