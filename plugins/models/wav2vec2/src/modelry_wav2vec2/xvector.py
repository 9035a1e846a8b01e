"""The head that gives a voice a vector. Snyder et al. 2018, https://www.danielpovey.com/files/2018_icassp_xvectors.pdf.

B rows   N samples   T frames   D width   K kernel   X xvector_output_dim   S speakers
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelry.heads.losses import cross_entropy, refuse_outside
from modelry.nn.linear import Linear
from modelry_wav2vec2.configuration import Wav2Vec2Config
from modelry_wav2vec2.frames import frame_counts
from modelry_wav2vec2.outputs import XVectorOutput
from modelry_wav2vec2.speech_head import SpeechHead

SCALE, MARGIN = 30.0, 0.4


class TDNNLayer(nn.Module):
    """A linear layer over K frames at a time, which lie `dilation` apart."""

    def __init__(self, config: Wav2Vec2Config, number: int) -> None:
        super().__init__()
        self.width, self.dilation = config.tdnn_kernel[number], config.tdnn_dilation[number]
        self.kernel = Linear(config.tdnn_dim[max(0, number - 1)] * self.width, config.tdnn_dim[number])

    def forward(self, x: Tensor) -> Tensor:
        left = x.shape[1] - (self.width - 1) * self.dilation
        if left < 1:
            raise ValueError(f"{x.shape[1]} frames are too few for a layer over {self.width}: give longer sounds")
        together = [x.narrow(1, number * self.dilation, left) for number in range(self.width)]
        scores: Tensor = self.kernel(torch.cat(together, dim=-1))  # (B, fewer T, D)
        return scores.relu()


class AMSoftmaxLoss(nn.Module):
    """Cross entropy of cosines, the right speaker's less a margin. https://arxiv.org/abs/1801.05599."""

    def __init__(self, width: int, speakers: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width, speakers))

    def reset_parameters(self) -> None:
        """The values of a new model."""
        nn.init.normal_(self.weight)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """(B, X) and (B,) to a number."""
        cosines = F.normalize(x, dim=1) @ F.normalize(self.weight, dim=0)  # (B, S)
        refuse_outside(labels, count=cosines.shape[1])
        right = F.one_hot(labels.flatten().clamp(min=0), cosines.shape[1])  # of -100, which does not count, anything
        return cross_entropy(SCALE * (cosines - MARGIN * right), labels.flatten())


class Wav2Vec2ForXVector(SpeechHead):
    """Wav2Vec2 whose vectors of one speaker are near each other."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__(config)
        self.make_layer_weights()
        self.projector = Linear(config.hidden_size, config.tdnn_dim[0])
        self.tdnn = nn.ModuleList(TDNNLayer(config, number) for number in range(len(config.tdnn_dim)))
        self.feature_extractor = Linear(config.tdnn_dim[-1] * 2, config.xvector_output_dim)
        self.classifier = Linear(config.xvector_output_dim, config.xvector_output_dim)
        self.objective = AMSoftmaxLoss(config.xvector_output_dim, config.num_labels)

    def forward(
        self,
        input_values: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> XVectorOutput:
        """Give each row a vector, (B, X), from mean and deviation of its frames.

        Args:
            input_values: (B, N).
            attention_mask: (B, N), 1 for samples and 0 for padding.
            labels: (B,) int64, numbers of speakers.
        """
        x, out = self.states(input_values, attention_mask, output_hidden_states, output_attentions)
        x = self.projector(x)
        for layer in self.tdnn:
            x = layer(x)  # (B, fewer T, D)
        if attention_mask is None:
            statistics = torch.cat((x.mean(1), x.std(1)), dim=-1)
        else:
            counts = frame_counts(attention_mask.sum(-1), self.config, adapter=True)
            lost = sum(kernel - 1 for kernel in self.config.tdnn_kernel)  # as published, dilations not counted
            rows = [one[: max(0, int(count) - lost)] for one, count in zip(x, counts, strict=True)]
            statistics = torch.stack([torch.cat((one.mean(0), one.std(0))) for one in rows])
        embeddings = self.feature_extractor(statistics)
        logits = self.classifier(embeddings)
        loss = None if labels is None else self.objective(logits, labels)
        return XVectorOutput(loss, logits, embeddings, out.hidden_states, out.attentions)
