"""A prepared training from its first step to the files that it leaves."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # it ships no types

from modelry.atomic import write_text
from modelry_trainer.callbacks.printing import PrinterCallback
from modelry_trainer.command.preparation import Job, load_model
from modelry_trainer.command.telling import LogLines, report_of, speaks, with_perplexity

SETTINGS = "train.yaml"


@dataclass(frozen=True)
class Finished:
    """What is there after a training."""

    steps: int
    metrics: dict[str, float]
    history: list[dict[str, float]]
    places: Mapping[str, Path]
    """What a person looks for, to where it is."""


def train(job: Job, *, resume: bool) -> Finished:
    """Load the model, train, evaluate and save.

    Raises:
        ModelryError: see `modelry_trainer.errors`.
    """
    from modelry import Trainer
    from modelry_trainer.precision import seed_everything

    args, prepared = job.arguments, job.prepared
    seed_everything(args)  # a new head and an adapter begin with random numbers
    model = load_model(job)
    made: Any = Trainer
    if job.kind.texts_out:
        from modelry_trainer.seq2seq import Seq2SeqTrainer

        made = Seq2SeqTrainer
    writes = getattr(args, "predict_with_generate", False)
    trainer = made(
        model,
        args,
        data_collator=prepared.collator(model),
        train_dataset=prepared.train,
        eval_dataset=prepared.evaluated,
        processing_class=job.preprocessor,
        compute_metrics=prepared.metrics if writes or not job.kind.texts_out else None,
        preprocess_logits_for_metrics=prepared.kept,
        callbacks=[LogLines()],
    )
    trainer.pop_callback(PrinterCallback)  # standard output is for the end
    done = trainer.train(resume_from_checkpoint=True if resume else None)
    metrics = dict(done.metrics)
    if prepared.evaluated is not None:
        metrics |= _evaluated_last(trainer) or trainer.evaluate()
    if job.kind.head in ("causal-lm", "masked-lm"):
        metrics = with_perplexity(metrics)
    folder = Path(args.output_dir)
    trainer.save_model()
    trainer.save_state()
    places = {"Adapter" if job.settings.peft is not None else "Model": folder}
    if speaks():
        settings = job.settings.model_dump(exclude_unset=True, mode="json")  # with what the command line changed
        write_text(folder / SETTINGS, yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))
        if job.settings.peft is not None and job.settings.peft.merge:
            places["Merged model"] = _merged(trainer.model, job, folder / "merged")
    report = report_of(folder)
    if report is not None:
        places["Report"] = report
    return Finished(done.global_step, metrics, trainer.state.log_history, places)


def _evaluated_last(trainer: Any) -> dict[str, float]:
    """What the evaluation after the last step has found, where the weights are still those of that step."""
    if trainer.args.load_best_model_at_end:
        return {}
    step = trainer.state.global_step
    found = [line for line in trainer.state.log_history if line["step"] == step and "eval_loss" in line]
    return {name: value for name, value in found[-1].items() if name.startswith("eval_")} if found else {}


def _merged(model: Any, job: Job, folder: Path) -> Path:
    """The model with its adapter in its weights."""
    model.merge_and_unload().save_pretrained(folder)
    job.preprocessor.save_pretrained(folder)
    return folder
