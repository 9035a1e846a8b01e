"""Training for Modelry. Importing it imports almost nothing; a name brings its room along when it is first used."""

from typing import TYPE_CHECKING, Any

from modelry_registry.lazy import lazy_names

if TYPE_CHECKING:  # for readers of types, who do not run __getattr__
    from modelry_trainer.arguments import TrainingArguments as TrainingArguments
    from modelry_trainer.callbacks.early_stopping import EarlyStoppingCallback as EarlyStoppingCallback
    from modelry_trainer.callbacks.events import TrainerCallback as TrainerCallback
    from modelry_trainer.callbacks.flow import DefaultFlowCallback as DefaultFlowCallback
    from modelry_trainer.callbacks.printing import PrinterCallback as PrinterCallback
    from modelry_trainer.callbacks.progress import ProgressCallback as ProgressCallback
    from modelry_trainer.collators.completion import DataCollatorForCompletionOnly as DataCollatorForCompletionOnly
    from modelry_trainer.collators.default import DefaultDataCollator as DefaultDataCollator
    from modelry_trainer.collators.default import default_data_collator as default_data_collator
    from modelry_trainer.collators.flattening import DataCollatorWithFlattening as DataCollatorWithFlattening
    from modelry_trainer.collators.images import DataCollatorForImages as DataCollatorForImages
    from modelry_trainer.collators.language_modeling import (
        DataCollatorForLanguageModeling as DataCollatorForLanguageModeling,
    )
    from modelry_trainer.collators.multiple_choice import DataCollatorForMultipleChoice as DataCollatorForMultipleChoice
    from modelry_trainer.collators.padding import DataCollatorWithPadding as DataCollatorWithPadding
    from modelry_trainer.collators.seq2seq import DataCollatorForSeq2Seq as DataCollatorForSeq2Seq
    from modelry_trainer.collators.speech import DataCollatorForSpeech as DataCollatorForSpeech
    from modelry_trainer.collators.token_classification import (
        DataCollatorForTokenClassification as DataCollatorForTokenClassification,
    )
    from modelry_trainer.packing import PackedRows as PackedRows
    from modelry_trainer.results import EvalPrediction as EvalPrediction
    from modelry_trainer.schedule_functions import get_constant_schedule as get_constant_schedule
    from modelry_trainer.schedule_functions import (
        get_constant_schedule_with_warmup as get_constant_schedule_with_warmup,
    )
    from modelry_trainer.schedule_functions import get_cosine_schedule_with_warmup as get_cosine_schedule_with_warmup
    from modelry_trainer.schedule_functions import (
        get_cosine_with_hard_restarts_schedule_with_warmup as get_cosine_with_hard_restarts_schedule_with_warmup,
    )
    from modelry_trainer.schedule_functions import (
        get_cosine_with_min_lr_schedule_with_warmup as get_cosine_with_min_lr_schedule_with_warmup,
    )
    from modelry_trainer.schedule_functions import get_inverse_sqrt_schedule as get_inverse_sqrt_schedule
    from modelry_trainer.schedule_functions import get_linear_schedule_with_warmup as get_linear_schedule_with_warmup
    from modelry_trainer.schedule_functions import (
        get_polynomial_decay_schedule_with_warmup as get_polynomial_decay_schedule_with_warmup,
    )
    from modelry_trainer.schedule_functions import get_reduce_on_plateau_schedule as get_reduce_on_plateau_schedule
    from modelry_trainer.schedule_functions import get_wsd_schedule as get_wsd_schedule
    from modelry_trainer.script_functions import get_last_checkpoint as get_last_checkpoint
    from modelry_trainer.script_functions import get_scheduler as get_scheduler
    from modelry_trainer.script_functions import set_seed as set_seed
    from modelry_trainer.script_parsing import HfArgumentParser as HfArgumentParser
    from modelry_trainer.seq2seq import Seq2SeqTrainer as Seq2SeqTrainer
    from modelry_trainer.seq2seq import Seq2SeqTrainingArguments as Seq2SeqTrainingArguments
    from modelry_trainer.state import TrainerControl as TrainerControl
    from modelry_trainer.state import TrainerState as TrainerState
    from modelry_trainer.trainer import Trainer as Trainer

_ROOMS = {
    "arguments": "TrainingArguments",
    "callbacks.early_stopping": "EarlyStoppingCallback",
    "callbacks.events": "TrainerCallback",
    "callbacks.flow": "DefaultFlowCallback",
    "callbacks.printing": "PrinterCallback",
    "callbacks.progress": "ProgressCallback",
    "collators.completion": "DataCollatorForCompletionOnly",
    "collators.default": "DefaultDataCollator default_data_collator",
    "collators.flattening": "DataCollatorWithFlattening",
    "collators.images": "DataCollatorForImages",
    "collators.language_modeling": "DataCollatorForLanguageModeling",
    "collators.multiple_choice": "DataCollatorForMultipleChoice",
    "collators.padding": "DataCollatorWithPadding",
    "collators.seq2seq": "DataCollatorForSeq2Seq",
    "collators.speech": "DataCollatorForSpeech",
    "collators.token_classification": "DataCollatorForTokenClassification",
    "packing": "PackedRows",
    "results": "EvalPrediction",
    "schedule_functions": (
        "get_constant_schedule get_constant_schedule_with_warmup get_cosine_schedule_with_warmup "
        "get_cosine_with_hard_restarts_schedule_with_warmup get_cosine_with_min_lr_schedule_with_warmup "
        "get_inverse_sqrt_schedule get_linear_schedule_with_warmup get_polynomial_decay_schedule_with_warmup "
        "get_reduce_on_plateau_schedule get_wsd_schedule"
    ),
    "script_functions": "get_last_checkpoint get_scheduler set_seed",
    "script_parsing": "HfArgumentParser",
    "seq2seq": "Seq2SeqTrainer Seq2SeqTrainingArguments",
    "state": "TrainerControl TrainerState",
    "trainer": "Trainer",
}
"""Module to the public names it has."""

__all__ = sorted(" ".join(_ROOMS.values()).split())  # noqa: PLE0605  the names above, which a reader of types sees too

_find, _names = lazy_names(__name__, _ROOMS, modules=("errors",))


def __getattr__(name: str) -> Any:
    return _find(name)


def __dir__() -> list[str]:
    return _names()
