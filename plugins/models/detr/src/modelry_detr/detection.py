"""DETR's objects: a class and a box for each query, and what they are compared with in training.

B images   S places of the feature map   D width   Q queries   K classes   L decoder layers
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from modelry.model import PreTrainedModel
from modelry.nn.linear import Linear
from modelry.outputs import BaseModelOutput
from modelry_detr.configuration import DetrConfig
from modelry_detr.losses import Found, Target, loss_of_objects
from modelry_detr.modeling import DetrModel
from modelry_detr.outputs import DetrModelOutput, DetrObjectDetectionOutput


class BoxPredictor(nn.Module):
    """Three layers from a query to its box."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Linear(width, width), Linear(width, width), Linear(width, 4)])

    def forward(self, x: Tensor) -> Tensor:
        """(…, D) to (…, 4), each from 0 to 1."""
        first, second, last = self.layers
        out: Tensor = last(F.relu(second(F.relu(first(x)))))
        return out.sigmoid()


class DetrForObjectDetection(PreTrainedModel):
    """DETR that gives each query a class, or none, and a box."""

    config_class = DetrConfig
    base_class = DetrModel
    base_model_prefix = "model"
    main_input_name = "pixel_values"
    input_embeddings_name = "query_position_embeddings"

    def __init__(self, config: DetrConfig) -> None:
        super().__init__(config)
        self.model = DetrModel(config)
        self.class_labels_classifier = Linear(config.d_model, config.num_labels + 1)
        self.bbox_predictor = BoxPredictor(config.d_model)

    def score(self, states: Tensor) -> Found:
        """Classes (…, Q, K + 1) and boxes (…, Q, 4) of queries."""
        return Found(self.class_labels_classifier(states), self.bbox_predictor(states))

    def compare(
        self, found: Found, each: Tensor | None, labels: Sequence[Target] | None, masks: Tensor | None = None
    ) -> dict[str, Any]:
        """loss, loss_dict and auxiliary_outputs; nothing without labels.

        Args:
            each: (L, B, Q, D), what each decoder layer says, where those are compared too.
            masks: (B, Q, G, K), where the labels have masks.
        """
        if labels is None:
            return {}
        earlier = [] if each is None else [self.score(one) for one in each[:-1]]
        loss, parts = loss_of_objects(found, labels, self.config, earlier=earlier, masks=masks)
        said = {"loss": loss, "loss_dict": parts}
        return said if each is None else {**said, "auxiliary_outputs": [one.named() for one in earlier]}

    def forward(
        self,
        pixel_values: Tensor | None = None,
        pixel_mask: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        encoder_outputs: BaseModelOutput | Sequence[Any] | None = None,
        inputs_embeds: Tensor | None = None,
        decoder_inputs_embeds: Tensor | None = None,
        labels: Sequence[Target] | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> DetrObjectDetectionOutput:
        """Find objects. Arguments as of the base model, and:

        Args:
            labels: for each image class_labels (objects,) and boxes (objects, 4): centre x, centre y, width, height,
                as parts of the image.

        Raises:
            ValueError: as the base model, or labels that no image can have.
        """
        out = self.model(
            pixel_values=pixel_values,
            pixel_mask=pixel_mask,
            decoder_attention_mask=decoder_attention_mask,
            encoder_outputs=encoder_outputs,
            inputs_embeds=inputs_embeds,
            decoder_inputs_embeds=decoder_inputs_embeds,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
        )
        found = self.score(out.last_hidden_state)
        compared = self.compare(found, out.intermediate_hidden_states, labels)
        return DetrObjectDetectionOutput(**compared, **found.named(), **without_intermediate(out))


def without_intermediate(out: DetrModelOutput) -> dict[str, Any]:
    """What heads hand on of the base model's output."""
    return {name: value for name, value in out.items() if name != "intermediate_hidden_states"}
