"""What the models of this family return beside the kernel's records.

B rows   T frames   D hidden_size   E width of the last convolution   P proj_codevector_dim   X xvector_output_dim
"""

from dataclasses import dataclass

from torch import Tensor

from modelry.outputs import ModelOutput


@dataclass
class Wav2Vec2BaseModelOutput(ModelOutput):
    """Hidden states, and what they were made of."""

    last_hidden_state: Tensor | None = None
    """(B, T, D)."""
    extract_features: Tensor | None = None
    """(B, T, E), the convolutions' output, normalised."""
    hidden_states: tuple[Tensor, ...] | None = None
    """The input of each layer and the output of the last, before the last norm."""
    attentions: tuple[Tensor, ...] | None = None


@dataclass
class Wav2Vec2ForPreTrainingOutput(ModelOutput):
    """What was predicted for masked frames, and what it is compared with."""

    loss: Tensor | None = None
    projected_states: Tensor | None = None
    """(B, T, P)."""
    projected_quantized_states: Tensor | None = None
    """(B, T, P)."""
    codevector_perplexity: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None
    contrastive_loss: Tensor | None = None
    diversity_loss: Tensor | None = None


@dataclass
class XVectorOutput(ModelOutput):
    """A vector that tells speakers apart."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    """(B, X)."""
    embeddings: Tensor | None = None
    """(B, X), before the last layer."""
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None
