"""The toy as an encoder-decoder: a text split in two, the first part read by the encoder, the rest said by the decoder.

What it says is what the decoder-only toy says of the whole text, so its sequences are known by the same enumeration.

B batch   S positions of the encoder   T positions of the decoder   D width   V vocabulary
"""

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from modelry_testing.decoding.lent import LentEncoderDecoder
from modelry_testing.toys.modeling import ToyForCausalLM
from modelry_testing.toys.oracle import VOCABULARY


class _Encoder(nn.Module):
    """Embeds, and nothing else: the toy's layers attend to both parts together."""

    def __init__(self, embedding: nn.Module) -> None:
        super().__init__()
        self.embedding = embedding

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Any:
        """(B, S) -> (B, S, D)."""
        return SimpleNamespace(last_hidden_state=self.embedding(input_ids))


class _TwoParts(nn.Module):
    def __init__(self, toy: ToyForCausalLM) -> None:
        super().__init__()
        self.toy = toy
        self.encoder = _Encoder(toy.get_input_embeddings())

    def get_encoder(self) -> nn.Module:
        return self.encoder

    def get_input_embeddings(self) -> nn.Module:
        return self.encoder.embedding

    def forward(
        self,
        encoder_outputs: tuple[Tensor],
        attention_mask: Tensor | None,
        decoder_input_ids: Tensor,
        use_cache: bool,
        output_hidden_states: bool,
    ) -> Any:
        """Logits (B, T, V) of the decoder's positions."""
        encoded, said = encoder_outputs[0], self.encoder.embedding(decoder_input_ids)
        width, rows = encoded.shape[1], encoded.shape[0]
        before = torch.ones(rows, width, dtype=torch.long) if attention_mask is None else attention_mask
        mask = torch.cat([before, torch.ones_like(decoder_input_ids)], dim=1)
        output = self.toy(
            inputs_embeds=torch.cat([encoded, said], dim=1),
            attention_mask=mask,
            output_hidden_states=output_hidden_states,
        )
        states = None if output.hidden_states is None else tuple(one[:, width:] for one in output.hidden_states)
        return SimpleNamespace(logits=output.logits[:, width:], decoder_hidden_states=states, past_key_values=None)


def in_two_parts(toy: ToyForCausalLM) -> LentEncoderDecoder:
    """A toy of the oracle as an encoder-decoder model; `generate` takes it with `use_cache=False`."""
    return LentEncoderDecoder(_TwoParts(toy), vocab_size=VOCABULARY)
