"""How much a classifier drops in training: the published keys for it, in the order in which they count."""

from modelry.configuration import ModelConfig

KEYS = ("classifier_dropout", "hidden_dropout", "hidden_dropout_prob")
DEFAULT = 0.1
"""Where config.json names none of them, as the ecosystem has it."""


def classifier_dropout(config: ModelConfig) -> float:
    """The probability with which a value before the classifier is dropped."""
    values = config.to_dict()
    named = (values.get(key) for key in KEYS)
    return next((float(rate) for rate in named if rate is not None), DEFAULT)
