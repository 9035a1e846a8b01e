"""What tasks that give a whole input its labels share. C labels"""

from typing import Any, Literal

from torch import Tensor

from modelry.configuration import ModelConfig

Function = Literal["sigmoid", "softmax", "none"]


def fitting_function(config: ModelConfig) -> Function:
    """What makes scores of a model's logits: nothing for numbers, one sigmoid each for labels that do not exclude
    each other or a single one, and a softmax otherwise."""
    if config.problem_type == "regression":
        return "none"
    several = config.problem_type == "multi_label_classification"
    return "sigmoid" if several or config.num_labels == 1 else "softmax"


def scored_labels(logits: Tensor, config: ModelConfig, function: Function | None) -> list[dict[str, Any]]:
    """Every label with its score, the best first.

    Args:
        logits: (C,).
        function: None for what fits.
    """
    function = function or fitting_function(config)
    scores = logits.float()
    if function != "none":
        scores = scores.sigmoid() if function == "sigmoid" else scores.softmax(-1)
    order = scores.argsort(descending=True, stable=True).tolist()
    values = scores.tolist()
    return [{"label": config.id2label[number], "score": values[number]} for number in order]
