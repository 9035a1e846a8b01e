"""What the command says: the plan, a line for each log where no bar is shown, and the end. One process speaks."""

import math
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelry_trainer.callbacks.events import TrainerCallback
from modelry_trainer.callbacks.report import FILE
from modelry_trainer.state import TrainerControl, TrainerState

if TYPE_CHECKING:
    from modelry_trainer.arguments import TrainingArguments
    from modelry_trainer.command.estimate import Estimate
    from modelry_trainer.command.preparation import Job


def speaks() -> bool:
    """Whether this process is the one of all that torchrun has started which prints."""
    return os.environ.get("RANK", "0") == "0"


def say(text: str = "", *, err: bool = False) -> None:
    """Print, in one process of all."""
    if speaks():
        click.echo(text, err=err)


def plan_as_values(found: "Estimate", job: "Job") -> dict[str, Any]:
    """The plan for machines."""
    return {
        "task": job.settings.task,
        **asdict(found),
        "bytes": found.bytes,
        "output_dir": job.arguments.output_dir,
        "notes": list(job.prepared.notes),
    }


def plan_as_text(found: "Estimate", job: "Job") -> str:
    """The plan for people."""
    args, train, evaluated = job.arguments, *job.tables
    rows = f"{found.rows:,} from {train.name}"
    if found.batches_rows != found.rows:
        rows += f", in {found.batches_rows:,} packs"
    batch = f"{args.per_device_train_batch_size} rows"
    if args.gradient_accumulation_steps > 1:
        batch += f" x {args.gradient_accumulation_steps} parts"
    if found.processes > 1:
        batch += f" x {found.processes} processes"
    share = 100 * found.trainable / found.parameters
    lines = [
        ("task", f"{job.settings.task}: {found.model} from {job.settings.model.ref}"),
        ("rows", rows),
        ("evaluation", "none" if evaluated is None else f"{found.eval_rows:,} rows from {evaluated.name}"),
    ]
    if found.tokens is not None:
        learnt = "" if found.learnt is None else f", {found.learnt:,} of them learnt"
        lines.append(("tokens", f"{found.tokens:,}{learnt}; the longest row has {found.longest:,}"))
    if "id2label" in job.prepared.config:
        names = list(job.prepared.config["id2label"].values())
        lines.append(("classes", f"{len(names)}: {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}"))
    lines += [
        ("steps", f"{found.steps:,} of {batch}, {found.epochs:.3g} epochs"),
        ("learns", f"{found.trainable:,} of {found.parameters:,} parameters ({share:.3g} %)"),
        ("memory", _memory(found)),
        ("output", args.output_dir),
        *(("note", note) for note in job.prepared.notes),
    ]
    return "\n".join(f"{name:<12}{text}" for name, text in lines)


def _memory(found: "Estimate") -> str:
    parts = [
        ("weights", found.weight_bytes),
        ("gradients", found.gradient_bytes),
        ("optimizer", found.optimizer_bytes),
        ("activations of the longest rows", found.activation_bytes),
    ]
    told = ", ".join(f"{name} {'not known' if size is None else in_short(size)}" for name, size in parts)
    return f"about {in_short(found.bytes)} each device ({told})"


def in_short(size: int) -> str:
    """Bytes with a unit."""
    for unit, count in (("GB", 10**9), ("MB", 10**6)):
        if size >= count:
            return f"{size / count:.3g} {unit}"
    return f"{size / 1000:.3g} kB"


class LogLines(TrainerCallback):
    """Each log as a line on standard error, where there is no terminal for a bar."""

    def on_log(
        self,
        args: "TrainingArguments",
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **more: Any,
    ) -> None:
        """Print the line."""
        if logs and not sys.stderr.isatty() and ("loss" in logs or "eval_loss" in logs):
            shown = ("loss", "eval_loss", "eval_accuracy", "learning_rate", "tokens_per_second", "seconds_left")
            told = ", ".join(f"{name} {logs[name]:.4g}" for name in shown if name in logs)
            say(f"step {state.global_step} of {state.max_steps}: {told}", err=True)


def end_as_text(
    steps: int, metrics: Mapping[str, float], history: list[dict[str, float]], places: Mapping[str, Path]
) -> str:
    """What a finished training says: where the model is, its figures, the report."""
    losses = [line["loss"] for line in history if "loss" in line]
    curve = f" (logged first {losses[0]:.4f}, last {losses[-1]:.4f})" if losses else ""
    lines = [
        f"Trained {steps:,} steps in {metrics['train_runtime']:.1f} s: mean loss {metrics['train_loss']:.4f}{curve}"
    ]
    found = {name: value for name, value in metrics.items() if name.startswith("eval_") and not _is_speed(name)}
    if found:
        lines.append("Evaluated: " + ", ".join(f"{name[5:]} {value:.4f}" for name, value in found.items()))
    lines += [f"{name}: {path}" for name, path in places.items()]
    return "\n".join(lines)


def _is_speed(name: str) -> bool:
    return name.endswith(("_runtime", "_per_second"))


def with_perplexity(metrics: dict[str, float]) -> dict[str, float]:
    """The metrics of a language model, and how many tokens it wavers between."""
    loss = metrics.get("eval_loss")
    return metrics if loss is None else {**metrics, "eval_perplexity": math.exp(min(loss, 700.0))}


def report_of(folder: Path) -> Path | None:
    """The report, where there is one."""
    return folder / FILE if (folder / FILE).is_file() else None
