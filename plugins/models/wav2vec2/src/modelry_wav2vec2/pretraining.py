"""What the model is first trained on: telling the quantized frame under a mask from others of the same sound.

B rows   N samples   T frames   K negatives   G groups   V vectors of a group   P proj_codevector_dim
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelry.nn.linear import Linear
from modelry_wav2vec2.configuration import Wav2Vec2Config
from modelry_wav2vec2.outputs import Wav2Vec2ForPreTrainingOutput
from modelry_wav2vec2.speech_head import SpeechHead

START_TEMPERATURE = 2.0


class Wav2Vec2GumbelVectorQuantizer(nn.Module):
    """The nearest of G times V learned vectors; in training a random one. https://arxiv.org/abs/1611.01144."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.groups, self.vectors = config.num_codevector_groups, config.num_codevectors_per_group
        self.codevectors = nn.Parameter(
            torch.empty(1, self.groups * self.vectors, config.codevector_dim // self.groups)
        )
        self.weight_proj = nn.Linear(config.conv_dim[-1], self.groups * self.vectors)
        self.temperature = START_TEMPERATURE
        """Of the draw; lower is surer. Lowered during pretraining."""

    def forward(self, frames: Tensor, hidden: Tensor | None) -> tuple[Tensor, Tensor]:
        """
        Args:
            frames: (B, T, C).
            hidden: (B, T) bool, the frames whose vectors count in the perplexity; all when None.

        Returns:
            (B, T, codevector_dim), and how many vectors are in use, a number from G to G V.
        """
        rows, count, _ = frames.shape
        scores = self.weight_proj(frames).view(rows * count, self.groups, self.vectors)
        if self.training:
            chosen = F.gumbel_softmax(scores.float(), tau=self.temperature, hard=True).type_as(scores)
            spread = scores.float().softmax(-1)
        else:
            chosen = F.one_hot(scores.argmax(-1), self.vectors).type_as(scores)
            spread = chosen
        counted = spread if hidden is None else spread[hidden.flatten()]
        mean = counted.mean(0)  # (G, V)
        used = torch.exp(-torch.xlogy(mean, mean).sum(-1)).sum()
        table = self.codevectors.view(self.groups, self.vectors, -1)
        found = torch.einsum("ngv,gvd->ngd", chosen, table)
        return found.reshape(rows, count, -1), used


class Wav2Vec2ForPreTraining(SpeechHead):
    """Wav2Vec2 with its quantizer and its contrastive loss."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__(config)
        self.dropout_features = nn.Dropout(config.feat_quantizer_dropout)
        self.quantizer = Wav2Vec2GumbelVectorQuantizer(config)
        self.project_hid = Linear(config.hidden_size, config.proj_codevector_dim)
        self.project_q = Linear(config.codevector_dim, config.proj_codevector_dim)

    def init_weights(self, module: nn.Module) -> None:
        super().init_weights(module)
        if isinstance(module, Wav2Vec2GumbelVectorQuantizer):
            nn.init.uniform_(module.codevectors)
        elif module is self.quantizer.weight_proj:
            nn.init.normal_(self.quantizer.weight_proj.weight)
        elif isinstance(module, nn.Linear) and module in (self.project_hid, self.project_q):
            module.reset_parameters()

    def set_gumbel_temperature(self, temperature: float) -> None:
        """How random the quantizer is in training."""
        self.quantizer.temperature = temperature

    def forward(
        self,
        input_values: Tensor,
        attention_mask: Tensor | None = None,
        mask_time_indices: Tensor | None = None,
        sampled_negative_indices: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> Wav2Vec2ForPreTrainingOutput:
        """Predict the frames under the mask.

        Args:
            input_values: (B, N).
            attention_mask: (B, N), 1 for samples and 0 for padding.
            mask_time_indices: (B, T), non-zero where a frame is hidden.
            sampled_negative_indices: (B, T, K) numbers of frames in the batch laid out as one row, B T; with them there
                is a loss.

        Raises:
            ValueError: negatives without a mask, or one that is no frame of the batch.
        """
        hidden = None if mask_time_indices is None else mask_time_indices.bool()
        out = self.wav2vec2(
            input_values,
            attention_mask=attention_mask,
            mask_time_indices=hidden,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
        )
        predicted = self.project_hid(out.last_hidden_state)  # (B, T, P)
        quantized, used = self.quantizer(self.dropout_features(out.extract_features), hidden)
        quantized = self.project_q(quantized.to(predicted.dtype))  # (B, T, P)
        contrastive = diversity = loss = None
        if sampled_negative_indices is not None:
            if hidden is None:
                raise ValueError("sampled_negative_indices need mask_time_indices: they are told from masked frames")
            _refuse_no_frames(sampled_negative_indices, hidden.numel())
            contrastive = self._contrastive(predicted, quantized, sampled_negative_indices, hidden)
            vectors = self.config.num_codevectors_per_group * self.config.num_codevector_groups
            diversity = (vectors - used) / vectors * hidden.sum()
            loss = contrastive + self.config.diversity_loss_weight * diversity
        return Wav2Vec2ForPreTrainingOutput(
            loss, predicted, quantized, used, out.hidden_states, out.attentions, contrastive, diversity
        )

    def _contrastive(self, predicted: Tensor, quantized: Tensor, negatives: Tensor, hidden: Tensor) -> Tensor:
        """Cross entropy of the right vector among the negatives, summed over hidden frames."""
        wrong = quantized.flatten(0, 1)[negatives.long()]  # (B, T, K, P)
        choices = torch.cat((quantized[:, :, None], wrong), dim=2)
        scores = F.cosine_similarity(predicted[:, :, None].float(), choices.float(), dim=-1)
        scores = scores / self.config.contrastive_logits_temperature  # (B, T, 1 + K)
        same = (wrong == quantized[:, :, None]).all(-1)
        scores = scores.masked_fill(F.pad(same, (1, 0)), float("-inf"))
        right = torch.zeros_like(hidden, dtype=torch.long)[hidden]
        return F.cross_entropy(scores[hidden], right, reduction="sum")


def _refuse_no_frames(negatives: Tensor, count: int) -> None:
    wrong = negatives[(negatives < 0) | (negatives >= count)]
    if wrong.numel():
        raise ValueError(f"sampled_negative_indices hold {int(wrong[0])}: the batch has the frames 0 to {count - 1}")
