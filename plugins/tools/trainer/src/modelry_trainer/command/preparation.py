"""From settings to rows and arguments, and to the model: what stands before the first step."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelry_registry import resolve
from modelry_trainer.arguments import TrainingArguments
from modelry_trainer.command.data.sources import read_data
from modelry_trainer.command.data.table import Table
from modelry_trainer.command.kinds import Kind, kind_named, refuse_idle
from modelry_trainer.command.settings import Said, Settings, training_arguments
from modelry_trainer.errors import TrainFileError


@dataclass(frozen=True)
class Job:
    """A training that is about to begin."""

    settings: Settings
    kind: Kind
    arguments: TrainingArguments
    preprocessor: Any
    prepared: Any
    """See `modelry_trainer.command.kinds.preparing.Prepared`."""
    tables: tuple[Table, Table | None]

    @property
    def load_options(self) -> dict[str, Any]:
        """Of from_pretrained."""
        model = self.settings.model
        given = {
            "revision": model.revision,
            "dtype": model.dtype or ("auto" if self.settings.peft is not None else "float32"),
            "quantization": model.quantization,
            "attn_implementation": model.attn_implementation,
            "device_map": model.device_map,
            **self.prepared.config,
        }
        return {key: value for key, value in given.items() if value is not None}


def prepare(settings: Settings, said: Said, *, name: str, resume: bool) -> Job:
    """Read and check everything but the model's weights.

    Args:
        said: where each key stands.
        name: of the file, for messages.

    Raises:
        ModelryError: something is missing or wrong; the message says where.
    """
    kind = kind_named(settings.task, said.get(("task",), name))
    place = next((said[key] for key in said if key[:1] == ("preprocessing",)), name)
    refuse_idle(settings.preprocessing, kind, task=settings.task, where=place)
    if settings.model.quantization is not None and settings.peft is None:
        raise TrainFileError(
            f"{said.get(('model', 'quantization'), name)}: packed weights do not learn; add a section peft, or leave "
            "model.quantization out"
        )
    if settings.peft is not None and settings.peft.merge and settings.model.quantization is not None:
        raise TrainFileError(
            f"{said.get(('peft', 'merge'), name)}: nothing can be added to packed weights, so leave merge out; the "
            "adapter can be merged into the float model, and the result be packed (modelry quantize)"
        )
    if settings.peft is not None and settings.peft.merge and os.environ.get("WORLD_SIZE", "1") != "1":
        raise TrainFileError(
            f"{said.get(('peft', 'merge'), name)}: the adapter is merged by one process: leave merge out, and merge it "
            "after the training"
        )
    arguments = _arguments(settings, said, kind, name=name)
    _check_folder(arguments, resume=resume)
    train, evaluated = read_data(settings.data, said, pictures=kind.pictures)
    if evaluated is None and arguments.eval_strategy != "no":
        raise TrainFileError(
            f"{said.get(('training', 'eval_strategy'), name)}: eval_strategy is {arguments.eval_strategy!r} and "
            "nothing says what is evaluated: add data.eval or data.eval_fraction"
        )
    preprocessor, prepared = _prepared(settings, kind, train, evaluated)
    return Job(settings, kind, arguments, preprocessor, prepared, (train, evaluated))


def _arguments(settings: Settings, said: Said, kind: Kind, *, name: str) -> TrainingArguments:
    made: type[TrainingArguments] = TrainingArguments
    if kind.texts_out:
        from modelry_trainer.seq2seq import Seq2SeqTrainingArguments

        made = Seq2SeqTrainingArguments
    arguments: TrainingArguments = training_arguments(settings, said, name=name, made=made)
    return arguments


def _check_folder(arguments: TrainingArguments, *, resume: bool) -> None:
    from modelry_trainer.checkpoints.folders import checkpoints

    folder = Path(arguments.output_dir)
    found = [one for one in checkpoints(folder) if one.is_dir()] if folder.is_dir() else []
    if resume and not found:
        raise TrainFileError(
            f"{folder} has no checkpoint to go on from: leave --resume out, or name the folder that has"
        )
    if found and not (resume or arguments.resume_from_checkpoint):
        raise TrainFileError(
            f"{folder} has {found[-1].name} of a training before: go on with --resume, or name another folder "
            "(--training.output_dir)"
        )


def _prepared(settings: Settings, kind: Kind, train: Table, evaluated: Table | None) -> tuple[Any, Any]:
    from modelry.auto import AutoConfig, AutoImageProcessor, AutoTokenizer
    from modelry.auto_model import model_class
    from modelry_trainer.command.kinds.preparing import Given

    model = settings.model
    which: dict[str, Any] = {} if model.revision is None else {"revision": model.revision}
    config = AutoConfig.from_pretrained(model.ref, **which)
    model_class(kind.head, config)  # which fails, where the family has no such head
    made: Any = AutoImageProcessor if kind.pictures else AutoTokenizer
    preprocessor = made.from_pretrained(model.tokenizer or model.ref, **({} if model.tokenizer else which))
    fill: dict[str, Any] = {}
    if not kind.pictures and preprocessor.pad_token is None:
        if preprocessor.eos_token is None:
            raise TrainFileError(
                f"the tokenizer of {model.ref} has neither a pad_token nor an eos_token: rows cannot be padded"
            )
        preprocessor.pad_token = preprocessor.eos_token
        if config.get_text_config().pad_token_id is None:
            fill["pad_token_id"] = preprocessor.pad_token_id
    function: Any = resolve(kind.prepare)
    prepared = function(Given(train, evaluated, preprocessor, config, settings.preprocessing, model.ref))
    prepared.config = {**fill, **prepared.config}
    return preprocessor, prepared


def load_model(job: Job) -> Any:
    """The model, in its adapter where one is asked for.

    Raises:
        ModelryError: it cannot be loaded, or has no such head.
    """
    from modelry.auto import HEADS
    from modelry_trainer.command.adapters import with_adapter

    model: Any = HEADS[job.kind.head].from_pretrained(
        job.settings.model.ref, ignore_mismatched_sizes="id2label" in job.prepared.config, **job.load_options
    )
    refuse_packs(job, type(model))
    if job.settings.peft is not None:
        model = with_adapter(model, job.settings.peft, task=job.kind.adapter_task)
    return model


def refuse_packs(job: Job, model: Any) -> None:
    """Refuse packed rows where the model would mix them.

    Raises:
        TrainFileError: its family does not keep them apart.
    """
    base = model.base_class or model
    if job.prepared.packs and not base.reads_packed:
        raise TrainFileError(
            f"preprocessing.packing is on, and {base.__name__} does not keep texts in one row apart: set it to false"
        )
