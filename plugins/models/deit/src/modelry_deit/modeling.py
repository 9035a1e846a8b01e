"""DeiT: a vision transformer with a second token in front, which learned what a teacher says.

B images   C labels   T tokens, the two in front and one for each patch   D hidden_size
Touvron et al. 2020, https://arxiv.org/abs/2012.12877. The layers are those of modelry.vision_transformer.
"""

from dataclasses import dataclass

from torch import Tensor

from modelry.heads.masked_image_modeling import MaskedImageModeling
from modelry.model import PreTrainedModel
from modelry.nn.linear import Linear
from modelry.outputs import ModelOutput
from modelry.vision_transformer import ClassTokenClassification, VisionTransformer
from modelry_deit.configuration import DeiTConfig


class DeiTModel(VisionTransformer):
    """Embeddings with class and distillation token, layers, the last norm and a pooler; see `VisionTransformer`."""

    config_class = DeiTConfig
    base_model_prefix = "deit"

    def __init__(self, config: DeiTConfig, *, pooling: bool = True, masking: bool = False) -> None:
        super().__init__(config, pooling=pooling, masking=masking, distilled=True)


class DeiTForImageClassification(ClassTokenClassification):
    """DeiT that gives an image its labels, from the class token alone."""

    base_class = DeiTModel
    base_model_prefix = "deit"


class DeiTForMaskedImageModeling(MaskedImageModeling):
    """DeiT that fills in masked patches."""

    base_class = DeiTModel
    base_model_prefix = "deit"
    before = 2


@dataclass
class DeiTForImageClassificationWithTeacherOutput(ModelOutput):
    """Scores of the labels of an image, by both tokens."""

    logits: Tensor | None = None
    """(B, C), the mean of the two."""
    cls_logits: Tensor | None = None
    """(B, C), from the class token."""
    distillation_logits: Tensor | None = None
    """(B, C), from the distillation token."""
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


class DeiTForImageClassificationWithTeacher(PreTrainedModel):
    """DeiT that gives an image the labels that its class token and its distillation token agree on.

    As published it has no loss: that of distillation needs the teacher.
    """

    base_class = DeiTModel
    base_model_prefix = "deit"
    main_input_name = "pixel_values"

    def __init__(self, config: DeiTConfig) -> None:
        super().__init__(config)
        self.deit = DeiTModel(self.config, pooling=False)
        self.cls_classifier = Linear(config.hidden_size, config.num_labels)
        self.distillation_classifier = Linear(config.hidden_size, config.num_labels)

    def forward(
        self,
        pixel_values: Tensor | None = None,
        interpolate_pos_encoding: bool | None = None,
        attention_mask: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> DeiTForImageClassificationWithTeacherOutput:
        """Score the labels, (B, C).

        Args:
            pixel_values: (B, channels, height, width).
            interpolate_pos_encoding: and the others: those of the base model.
        """
        out = self.deit(
            pixel_values=pixel_values,
            interpolate_pos_encoding=interpolate_pos_encoding,
            attention_mask=attention_mask,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
        )
        ours = self.cls_classifier(out.last_hidden_state[:, 0])
        taught = self.distillation_classifier(out.last_hidden_state[:, 1])
        return DeiTForImageClassificationWithTeacherOutput(
            (ours + taught) / 2, ours, taught, out.hidden_states, out.attentions
        )
