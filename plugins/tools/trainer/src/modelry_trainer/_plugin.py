"""What the registry reads: names for `from modelry import ...`, optimizers, schedules and the command `train`."""

from modelry_registry import Command, Optimizer, PublicName, Registrar, Schedule, hookimpl

_NAMES = {
    "DataCollatorForCompletionOnly": "modelry_trainer.collators.completion",
    "DataCollatorForImages": "modelry_trainer.collators.images",
    "DataCollatorForLanguageModeling": "modelry_trainer.collators.language_modeling",
    "DataCollatorForMultipleChoice": "modelry_trainer.collators.multiple_choice",
    "DataCollatorForSeq2Seq": "modelry_trainer.collators.seq2seq",
    "DataCollatorForSpeech": "modelry_trainer.collators.speech",
    "DataCollatorForTokenClassification": "modelry_trainer.collators.token_classification",
    "DataCollatorWithFlattening": "modelry_trainer.collators.flattening",
    "DataCollatorWithPadding": "modelry_trainer.collators.padding",
    "DefaultDataCollator": "modelry_trainer.collators.default",
    "DefaultFlowCallback": "modelry_trainer.callbacks.flow",
    "EarlyStoppingCallback": "modelry_trainer.callbacks.early_stopping",
    "EvalPrediction": "modelry_trainer.results",
    "HfArgumentParser": "modelry_trainer.script_parsing",
    "PackedRows": "modelry_trainer.packing",
    "PrinterCallback": "modelry_trainer.callbacks.printing",
    "ProgressCallback": "modelry_trainer.callbacks.progress",
    "Seq2SeqTrainer": "modelry_trainer.seq2seq",
    "Seq2SeqTrainingArguments": "modelry_trainer.seq2seq",
    "Trainer": "modelry_trainer.trainer",
    "TrainerCallback": "modelry_trainer.callbacks.events",
    "TrainerControl": "modelry_trainer.state",
    "TrainerState": "modelry_trainer.state",
    "TrainingArguments": "modelry_trainer.arguments",
    "default_data_collator": "modelry_trainer.collators.default",
    "get_constant_schedule": "modelry_trainer.schedule_functions",
    "get_constant_schedule_with_warmup": "modelry_trainer.schedule_functions",
    "get_cosine_schedule_with_warmup": "modelry_trainer.schedule_functions",
    "get_cosine_with_hard_restarts_schedule_with_warmup": "modelry_trainer.schedule_functions",
    "get_cosine_with_min_lr_schedule_with_warmup": "modelry_trainer.schedule_functions",
    "get_inverse_sqrt_schedule": "modelry_trainer.schedule_functions",
    "get_last_checkpoint": "modelry_trainer.script_functions",
    "get_linear_schedule_with_warmup": "modelry_trainer.schedule_functions",
    "get_polynomial_decay_schedule_with_warmup": "modelry_trainer.schedule_functions",
    "get_reduce_on_plateau_schedule": "modelry_trainer.schedule_functions",
    "get_scheduler": "modelry_trainer.script_functions",
    "get_wsd_schedule": "modelry_trainer.schedule_functions",
    "set_seed": "modelry_trainer.script_functions",
}

_ADAMW = ("https://arxiv.org/abs/1711.05101",)
_OPTIMIZERS = (
    (
        "adafactor",
        "adafactor:adafactor",
        ("https://arxiv.org/abs/1804.04235",),
        "Second moments as a row and a column.",
    ),
    ("adamw_torch", "adamw:adamw", _ADAMW, "AdamW."),
    ("adamw_torch_fused", "adamw:adamw_fused", _ADAMW, "AdamW, each tensor in one pass."),
    ("lion", "lion:lion", ("https://arxiv.org/abs/2302.06675",), "Steps of one size along a momentum."),
    ("lion_32bit", "lion:lion", ("https://arxiv.org/abs/2302.06675",), "The same as lion."),
    ("muon", "muon:muon", ("https://arxiv.org/abs/2502.16982",), "Muon for matrices, AdamW for the rest."),
    (
        "schedule_free_adamw",
        "schedule_free:schedule_free_adamw",
        ("https://arxiv.org/abs/2405.15682",),
        "AdamW with an average of the weights in place of a schedule.",
    ),
    ("sgd", "adamw:sgd", (), "Gradient descent, with momentum if asked for."),
)
"""Name, function in modelry_trainer.optimizers, papers, help."""
_SCHEDULES = {
    "constant": ("falling:constant", "The same rate at all steps."),
    "constant_with_warmup": ("falling:constant_with_warmup", "A rise, then the same rate."),
    "cosine": ("cosines:cosine", "A rise, then half a cosine down to 0."),
    "cosine_warmup_with_min_lr": ("cosines:cosine_warmup_with_min_lr", "As cosine_with_min_lr, counted from 1."),
    "cosine_with_min_lr": ("cosines:cosine_with_min_lr", "As cosine, down to a rate above 0."),
    "cosine_with_restarts": ("cosines:cosine_with_restarts", "A rise, then several falls from the full rate."),
    "inverse_sqrt": ("falling:inverse_sqrt", "A rise, then one over the square root of the step."),
    "linear": ("falling:linear", "A rise, then evenly down to 0."),
    "polynomial": ("falling:polynomial", "A rise, then down by a power of the steps left."),
    "reduce_lr_on_plateau": ("plateau:reduce_lr_on_plateau", "Falls when a metric no longer gets better."),
    "warmup_stable_decay": ("stages:warmup_stable_decay", "A rise, the full rate, and a fall."),
}
"""Name to function in modelry_trainer.schedules, and help."""


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare what the package brings."""
    for name, module in _NAMES.items():
        registrar.name(PublicName(name=name, value=f"{module}:{name}"))
    for name, function, papers, said in _OPTIMIZERS:
        make = f"modelry_trainer.optimizers.{function}"
        registrar.optimizer(Optimizer(name=name, make=make, matrices=name == "muon", papers=papers, help=said))
    for name, (function, said) in _SCHEDULES.items():
        make = f"modelry_trainer.schedules.{function}"
        registrar.schedule(Schedule(name=name, make=make, follows_metric=name == "reduce_lr_on_plateau", help=said))
    registrar.command(
        Command(
            name="scale",
            command="modelry_trainer.scale.command:scale",
            help="Show what a training would take on each of many devices.",
        )
    )
    registrar.command(
        Command(name="train", command="modelry_trainer.command.train:train", help="Train a model as a YAML file says.")
    )
