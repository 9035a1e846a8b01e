"""The head that gives an image its labels.

B images   D width of what describes an image   C labels
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from modelry.configuration import ModelConfig
from modelry.heads.losses import classification_loss
from modelry.image_outputs import ImageClassifierOutput
from modelry.model import PreTrainedModel
from modelry.nn.linear import Linear


class ImageClassification(PreTrainedModel):
    """A base model and `classifier`, (C, D) with a bias. A family names its base model in `base_class`."""

    base_class: ClassVar[type[PreTrainedModel]]
    base_options: ClassVar[Mapping[str, Any]] = {}
    """Further arguments of the base model's constructor."""
    main_input_name: ClassVar[str] = "pixel_values"

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.add_module(self.base_model_prefix, self.base_class(self.base_config(), **self.base_options))
        self.classifier = self.make_classifier(self.width())

    def base_config(self) -> ModelConfig:
        """The base model's configuration."""
        own: ModelConfig = self.config
        return own

    def width(self) -> int:
        """D."""
        size: int = self.config.hidden_size
        return size

    def make_classifier(self, width: int) -> nn.Module:
        """The projection onto the labels."""
        return Linear(width, self.config.num_labels)

    def describe(self, out: Any) -> Tensor:
        """One vector for each image, (B, D), from what the base model returned."""
        pooled: Tensor = out.pooler_output
        return pooled

    def forward(
        self,
        pixel_values: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        **more: Any,
    ) -> ImageClassifierOutput:
        """Score the labels, (B, C).

        Args:
            pixel_values: (B, channels, height, width).
            labels: see `modelry.heads.losses.classification_loss`.
            more: and the others: those of the base model.
        """
        out = self.base_model(
            pixel_values=pixel_values,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
            **more,
        )
        logits = self.classifier(self.describe(out))
        loss = None
        if labels is not None:
            loss = classification_loss(logits, labels, problem_type=self.config.problem_type)
        return ImageClassifierOutput(
            loss, logits, out.hidden_states, out.get("attentions"), out.get("reshaped_hidden_states")
        )
