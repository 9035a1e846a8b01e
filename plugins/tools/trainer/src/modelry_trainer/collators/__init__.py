"""From rows of a data set to the tensors of one batch; names and results are the ecosystem's.

A collator that reads columns which no model reads says so in `columns`: the trainer leaves the others out.
"""

from modelry_trainer.collators.completion import DataCollatorForCompletionOnly
from modelry_trainer.collators.default import DefaultDataCollator, default_data_collator
from modelry_trainer.collators.flattening import DataCollatorWithFlattening
from modelry_trainer.collators.images import DataCollatorForImages
from modelry_trainer.collators.language_modeling import DataCollatorForLanguageModeling
from modelry_trainer.collators.multiple_choice import DataCollatorForMultipleChoice
from modelry_trainer.collators.padding import DataCollatorWithPadding
from modelry_trainer.collators.seq2seq import DataCollatorForSeq2Seq
from modelry_trainer.collators.speech import DataCollatorForSpeech
from modelry_trainer.collators.token_classification import DataCollatorForTokenClassification

__all__ = [
    "DataCollatorForCompletionOnly",
    "DataCollatorForImages",
    "DataCollatorForLanguageModeling",
    "DataCollatorForMultipleChoice",
    "DataCollatorForSeq2Seq",
    "DataCollatorForSpeech",
    "DataCollatorForTokenClassification",
    "DataCollatorWithFlattening",
    "DataCollatorWithPadding",
    "DefaultDataCollator",
    "default_data_collator",
]
