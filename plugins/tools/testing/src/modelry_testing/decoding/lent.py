"""An encoder-decoder model of another library, lent to generate: what a session asks of a model, and nothing else."""

from types import SimpleNamespace
from typing import Any, Self

import torch
from torch import Tensor, nn

from modelry.generation import GenerationConfig
from modelry_registry import resolve

TINY: dict[str, Any] = {
    "vocab_size": 12,
    "d_model": 16,
    "d_kv": 8,
    "d_ff": 24,
    "num_layers": 1,
    "num_heads": 2,
    "decoder_start_token_id": 0,
    "pad_token_id": 0,
    "initializer_factor": 6.0,
    "tie_word_embeddings": False,
}
"""In the keys of T5's config.json."""


class LentEncoderDecoder(nn.Module):
    """A model that another library built. It computes everything anew at each step: `use_cache=False`.

    Args:
        model: called with `encoder_outputs`, `attention_mask`, `decoder_input_ids`, `use_cache` and
            `output_hidden_states`; has `get_encoder` and `get_input_embeddings`.
        vocab_size: V.
        eos_token_id, pad_token_id, decoder_start_token_id: of its texts.
    """

    device = torch.device("cpu")

    def __init__(
        self,
        model: Any,
        *,
        vocab_size: int,
        eos_token_id: int | None = None,
        pad_token_id: int = 0,
        decoder_start_token_id: int = 0,
    ) -> None:
        super().__init__()
        self.lent = model
        self.config = SimpleNamespace(
            model_type="lent",
            vocab_size=vocab_size,
            is_encoder_decoder=True,
            bos_token_id=None,
            eos_token_id=eos_token_id,
            pad_token_id=pad_token_id,
            decoder_start_token_id=decoder_start_token_id,
        )
        self.config.get_text_config = lambda: self.config
        self.generation_config = GenerationConfig.from_model_config(self.config)

    @classmethod
    def random(cls, reference: str, *, seed: int = 0, eos_token_id: int | None = 1, **values: Any) -> Self:
        """One with random weights.

        Args:
            reference: "module:Name" of the other library's class, whose `config_class` takes T5's keys.
            values: of its configuration, instead of those of TINY.
        """
        lent: Any = resolve(reference)
        torch.manual_seed(seed)
        config = {**TINY, **values, "eos_token_id": eos_token_id}
        model = lent(lent.config_class(**config)).eval()
        return cls(model, vocab_size=config["vocab_size"], eos_token_id=eos_token_id)

    def get_encoder(self) -> nn.Module:
        """The other library's."""
        encoder: nn.Module = self.lent.get_encoder()
        return encoder

    def get_input_embeddings(self) -> nn.Module:
        """The other library's."""
        embeddings: nn.Module = self.lent.get_input_embeddings()
        return embeddings

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        encoder_outputs: Any = None,
        decoder_input_ids: Tensor | None = None,
        output_hidden_states: bool = False,
        **unused: object,
    ) -> Any:
        """The other library's output."""
        return self.lent(
            encoder_outputs=(encoder_outputs.last_hidden_state,),
            attention_mask=attention_mask,
            decoder_input_ids=decoder_input_ids,
            use_cache=False,
            output_hidden_states=output_hidden_states,
        )
