"""The heads that give a whole sound, or each of its frames, a label.

B rows   N samples   T frames   C labels
"""

from torch import Tensor

from modelry.heads.losses import cross_entropy
from modelry.nn.linear import Linear
from modelry.outputs import SequenceClassifierOutput, TokenClassifierOutput
from modelry_wav2vec2.configuration import Wav2Vec2Config
from modelry_wav2vec2.frames import frame_mask
from modelry_wav2vec2.speech_head import SpeechHead


class Wav2Vec2ForSequenceClassification(SpeechHead):
    """Wav2Vec2 that labels a whole sound: a keyword, a language, an emotion."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__(config)
        self.refuse_adapter()
        self.make_layer_weights()
        self.projector = Linear(config.hidden_size, config.classifier_proj_size)
        self.classifier = Linear(config.classifier_proj_size, config.num_labels)

    def forward(
        self,
        input_values: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> SequenceClassifierOutput:
        """Score the labels, (B, C), from the mean of the real frames.

        Args:
            input_values: (B, N).
            attention_mask: (B, N), 1 for samples and 0 for padding.
            labels: (B,) int64.
        """
        x, out = self.states(input_values, attention_mask, output_hidden_states, output_attentions)
        x = self.projector(x)
        if attention_mask is None:
            pooled = x.mean(1)
        else:
            real = frame_mask(attention_mask, x.shape[1], self.config, adapter=True)
            pooled = (x * real[:, :, None]).sum(1) / real.sum(1)[:, None].clamp(min=1)
        logits = self.classifier(pooled)
        loss = None if labels is None else cross_entropy(logits, labels.view(-1))
        return SequenceClassifierOutput(loss, logits, out.hidden_states, out.attentions)


class Wav2Vec2ForAudioFrameClassification(SpeechHead):
    """Wav2Vec2 that labels each frame: who speaks when."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__(config)
        self.refuse_adapter()
        self.make_layer_weights()
        self.classifier = Linear(config.hidden_size, config.num_labels)

    def forward(
        self,
        input_values: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> TokenClassifierOutput:
        """Score the labels of each frame, (B, T, C).

        Args:
            input_values: (B, N).
            attention_mask: (B, N), 1 for samples and 0 for padding.
            labels: (B, T, C), 1 for the label of each frame and 0 for the others.
        """
        x, out = self.states(input_values, attention_mask, output_hidden_states, output_attentions)
        logits = self.classifier(x)
        loss = None if labels is None else cross_entropy(logits.flatten(0, 1), labels.flatten(0, 1).argmax(-1))
        return TokenClassifierOutput(loss, logits, out.hidden_states, out.attentions)
