"""Another from outside: an encoder that reads both ways, with a masked-lm head. It cannot generate.

B batch   T positions   D width   V vocabulary
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from modelry import ModelConfig, PreTrainedModel
from modelry.outputs import BaseModelOutput, MaskedLMOutput


class MirrorpondConfig(ModelConfig):
    """Standard keys."""

    model_type: Literal["mirrorpond"] = "mirrorpond"
    vocab_size: int = Field(gt=0)
    hidden_size: int = Field(gt=0)
    num_hidden_layers: int = Field(gt=0)
    max_position_embeddings: int = Field(32, gt=0)


class MirrorpondModel(PreTrainedModel):
    """Each layer adds a mean of all real positions, weighted by how alike they are."""

    config_class = MirrorpondConfig
    base_model_prefix = "mirrorpond"

    def __init__(self, config: MirrorpondConfig) -> None:
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.places = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.layers = nn.ModuleList(
            nn.Linear(config.hidden_size, config.hidden_size) for _ in range(config.num_hidden_layers)
        )

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        output_hidden_states: bool | None = None,
    ) -> BaseModelOutput:
        x = self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        count = torch.arange(x.shape[1], device=x.device)
        x = x + self.places(count.expand(x.shape[:2]) if position_ids is None else position_ids)
        states = [x]
        for layer in self.layers:
            alike = x @ x.transpose(1, 2) * x.shape[-1] ** -0.5  # (B, T, T)
            if attention_mask is not None:
                alike = alike.masked_fill(~attention_mask[:, None].bool(), float("-inf"))
            x = x + F.gelu(layer(alike.softmax(-1) @ x))
            states.append(x)
        return BaseModelOutput(x, tuple(states) if output_hidden_states else None)


class MirrorpondForMaskedLM(PreTrainedModel):
    """Scores of the word at each position."""

    config_class = MirrorpondConfig
    base_model_prefix = "mirrorpond"
    output_embeddings_name = "decoder"

    def __init__(self, config: MirrorpondConfig) -> None:
        super().__init__(config)
        self.mirrorpond = MirrorpondModel(config)
        self.decoder = nn.Linear(config.hidden_size, config.vocab_size)

    def forward(self, input_ids: Tensor | None = None, labels: Tensor | None = None, **more: Tensor) -> MaskedLMOutput:
        out = self.mirrorpond(input_ids, **more)
        logits = self.decoder(out.last_hidden_state)
        loss = None if labels is None else F.cross_entropy(logits.flatten(0, 1).float(), labels.flatten())
        return MaskedLMOutput(loss, logits, out.hidden_states)
