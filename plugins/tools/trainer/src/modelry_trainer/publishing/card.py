"""README.md of a trained model: what the hub reads at its top, then results and how they came about."""

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from modelry.atomic import write_text

if TYPE_CHECKING:
    from modelry_trainer.trainer import Trainer

FILE = "README.md"
_OURS = "<!-- Written by modelry-trainer at the end of a training. Text below this line is written anew each time. -->"
_TOLD = (
    "learning_rate",
    "per_device_train_batch_size",
    "per_device_eval_batch_size",
    "gradient_accumulation_steps",
    "seed",
    "optim",
    "weight_decay",
    "lr_scheduler_type",
    "warmup_steps",
    "num_train_epochs",
    "max_steps",
    "label_smoothing_factor",
    "bf16",
    "fp16",
)
_COLUMNS_LEFT_OUT = ("_runtime", "_per_second")


def write_card(trainer: "Trainer", output: Path, **told: Any) -> bool:
    """Write README.md, unless a person, or another program, has written one there.

    Args:
        told: see `Trainer.create_model_card`.

    Returns:
        Whether it was written.
    """
    file = output / FILE
    if file.is_file() and _OURS not in file.read_text(encoding="utf-8"):
        return False
    output.mkdir(parents=True, exist_ok=True)
    write_text(file, card(trainer, **told))
    return True


def card(
    trainer: "Trainer",
    *,
    language: Any = None,
    license: str | None = None,
    tags: Any = None,
    model_name: str | None = None,
    finetuned_from: str | None = None,
    tasks: Any = None,
    dataset_tags: Any = None,
    dataset: Any = None,
    dataset_args: Any = None,
) -> str:
    """The whole text."""
    name = model_name or Path(trainer.args.output_dir).absolute().name
    top = {
        "library_name": "modelry",
        "language": language,
        "license": license,
        "base_model": finetuned_from,
        "tags": ["generated_from_trainer", *_several(tags)],
        "pipeline_tag": next(iter(_several(tasks)), None),
        "datasets": _several(dataset_tags),
    }
    # JSON values are YAML too, whatever characters are in them
    front = [f"{key}: {json.dumps(value)}" for key, value in top.items() if value]
    on = f" on {', '.join(_several(dataset) or _several(dataset_tags))}" if dataset or dataset_tags else ""
    on += f" ({', '.join(_several(dataset_args))})" if dataset_args else ""
    begin = f"A fine-tuned version of {finetuned_from}" if finetuned_from else "A model trained"
    history, values = trainer.state.log_history, trainer.args.to_dict()
    parts = ["---", *front, "---", _OURS, "", f"# {name}", "", f"{begin}{on}.", "", *_results(history)]
    parts += ["## How it was trained", "", *[f"- {key}: {values[key]}" for key in _TOLD if values.get(key)], ""]
    parts += [*_table(history), "## Versions", ""]
    parts += [f"- modelry-trainer {version('modelry-trainer')}", f"- modelry-core {version('modelry-core')}"]
    return "\n".join([*parts, f"- PyTorch {torch.__version__}", ""])


def _several(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def _results(history: Sequence[Mapping[str, Any]]) -> list[str]:
    last = next((line for line in reversed(history) if "eval_loss" in line), None)
    if last is None:
        return []
    shown = [f"- {_title(name)}: {_number(value)}" for name, value in last.items() if _is_result(name)]
    return ["On the evaluation data:", "", *shown, ""]


def _table(history: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line for each evaluation, with the training loss logged last before it."""
    rows: list[list[str]] = []
    names: list[str] = []
    loss: Any = None
    for line in history:
        loss = line.get("loss", loss)
        if "eval_loss" in line:
            names = names or sorted(filter(_is_result, line), key="eval_loss".__ne__)  # which comes first
            told = "" if loss is None else _number(loss)
            found = [_number(line.get(name, "")) for name in names]
            rows.append([str(line["step"]), _number(line.get("epoch", "")), told, *found])
    if not rows:
        return []
    head = ["Step", "Epoch", "Training loss", *map(_title, names)]
    return [_row(head), _row(["---:"] * len(head)), *map(_row, rows), ""]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _is_result(name: str) -> bool:
    return name.startswith("eval_") and not name.endswith(_COLUMNS_LEFT_OUT)


def _title(name: str) -> str:
    words = name.removeprefix("eval_").replace("_", " ")
    return "Validation loss" if words == "loss" else words.capitalize()


def _number(value: Any) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
