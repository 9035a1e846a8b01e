"""What the registry reads: the names that `from modelry import ...` has, the optimizers and the schedules."""

from modelry_registry import PublicName, Registrar, hookimpl

_NAMES = {
    "EarlyStoppingCallback": "modelry_trainer.callbacks.early_stopping",
    "Seq2SeqTrainer": "modelry_trainer.seq2seq",
    "Seq2SeqTrainingArguments": "modelry_trainer.seq2seq",
    "Trainer": "modelry_trainer.trainer",
    "TrainerCallback": "modelry_trainer.callbacks.events",
    "TrainerControl": "modelry_trainer.state",
    "TrainerState": "modelry_trainer.state",
    "TrainingArguments": "modelry_trainer.arguments",
}


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare what the package brings."""
    for name, module in _NAMES.items():
        registrar.name(PublicName(name=name, value=f"{module}:{name}"))
