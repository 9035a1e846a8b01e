"""Generic heads: a base model and a projection, the same for every family. A family's head is a one-liner."""

from modelry.heads.causal_lm import CausalLM
from modelry.heads.question_answering import QuestionAnswering
from modelry.heads.sequence_classification import SequenceClassification
from modelry.heads.token_classification import TokenClassification

__all__ = ["CausalLM", "QuestionAnswering", "SequenceClassification", "TokenClassification"]
