"""What each head is trained on, as far as the ecosystem agrees on it.

B rows   T positions   C labels
"""

import inspect
from typing import Any

import torch

from modelry import ModelConfig, PreTrainedModel
from modelry_testing.models import pictures
from modelry_testing.models.subject import Inputs


def labels_of_head(head: str, head_class: type[PreTrainedModel], config: ModelConfig, inputs: Inputs) -> dict[str, Any]:
    """Labels that go with the inputs; empty for a head without a loss, or with one that only its family knows."""
    parameters = inspect.signature(head_class.forward).parameters
    takes_labels = "labels" in parameters or any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    ids = inputs.get("input_ids")
    written = inputs.get("decoder_input_ids", ids)
    rows = len(next(iter(inputs.values())))
    match head:
        case "causal-lm" | "masked-lm":
            return {"labels": inputs["input_ids"]}
        case "seq2seq-lm":
            return {"labels": inputs["decoder_input_ids"]}
        case "sequence-classification" | "image-classification" | "audio-classification":
            return {"labels": torch.arange(rows) % config.num_labels}
        case "masked-image-modeling":
            return {"bool_masked_pos": pictures.every_third_patch(config, inputs["pixel_values"])}
        case "semantic-segmentation":
            return {"labels": pictures.classes_of_pixels(config, inputs["pixel_values"])}
        case "multiple-choice":
            return {"labels": torch.arange(rows) % 3}
        case "next-sentence-prediction":
            return {"labels": torch.arange(rows) % 2}
        case "token-classification":
            length = inputs["input_ids"].shape[-1]
            return {"labels": torch.arange(rows * length).reshape(rows, length) % config.num_labels}
        case "question-answering":
            length = inputs.get("decoder_input_ids", inputs["input_ids"]).shape[1]
            return {"start_positions": torch.arange(rows) % length, "end_positions": torch.full((rows,), length - 1)}
        case "pretraining" if "next_sentence_label" in parameters and ids is not None:
            return {"labels": ids, "next_sentence_label": torch.arange(rows) % 2}
        case "pretraining" | "speech-seq2seq" | "image-text-to-text" | "multimodal-lm" if takes_labels:
            return {} if written is None else {"labels": written}
        case "ctc":
            first, second = [one for one in range(3) if one != config.pad_token_id][:2]
            return {"labels": torch.tensor([[first, second, second, -100]]).repeat(rows, 1)}
        case "audio-xvector":
            return {"labels": torch.arange(rows) % config.num_labels}
        case _ if "return_loss" in parameters:
            return {"return_loss": True}
    return {}
