"""PEFT's adapters around a model: which layers they go to, what is trained beside them."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from torch import nn

from modelry import PreTrainedModel
from modelry_trainer.command.settings import PeftSettings
from modelry_trainer.contradictions import refuse_unknown
from modelry_trainer.errors import ArgumentsError, TrainFileError

ALL = "all-linear"


def with_adapter(model: PreTrainedModel, settings: PeftSettings, *, task: str | None) -> Any:
    """The model in an adapter; only the adapter learns, and a head that is new.

    Args:
        task: what PEFT calls it.

    Raises:
        TrainFileError: PEFT is not installed, or refuses the settings.
    """
    try:
        import peft  # type: ignore[import-not-found,unused-ignore]  # an extra of this package
    except ImportError as error:
        raise TrainFileError("the section peft needs PEFT. Run: pip install 'modelry-trainer[peft]'") from error
    made: Any = {"lora": peft.LoraConfig, "ia3": peft.IA3Config}[settings.method]
    more = {name: value for name, value in (settings.model_extra or {}).items() if value is not None}
    try:
        refuse_unknown(more, {field.name for field in dataclasses.fields(made)} | set(PeftSettings.model_fields))
    except ArgumentsError as error:
        raise TrainFileError(f"peft ({settings.method}): {str(error).replace('training argument', 'key')}") from None
    targets = list(_all_linear(model)) if settings.target_modules == ALL else settings.target_modules
    if settings.method == "ia3":
        more = {"feedforward_modules": [], **more}
    kept = settings.modules_to_save if settings.modules_to_save is not None else _head(model, task)
    try:
        config = made(task_type=task, target_modules=targets, modules_to_save=kept or None, **more)
        return peft.get_peft_model(model, config)
    except (ValueError, TypeError) as error:
        raise TrainFileError(f"peft: {error}") from error


def _all_linear(model: PreTrainedModel) -> Iterator[str]:
    """Paths of all linear layers, packed ones too, without the head."""
    inner = model.base_model
    begin = "" if inner is model else f"{model.base_model_prefix}."
    for name, module in inner.named_modules():
        weight = getattr(module, "in_features", None), getattr(module, "out_features", None)
        if isinstance(module, nn.Linear) or None not in weight:
            yield f"{begin}{name}"


def _head(model: PreTrainedModel, task: str | None) -> list[str]:
    """What stands beside the base model of a classifier: it is new, or has new classes."""
    if task in ("CAUSAL_LM", "SEQ_2_SEQ_LM") or model.base_model is model:
        return []
    beside = [(name, child) for name, child in model.named_children() if child is not model.base_model]
    return [name for name, child in beside if list(child.parameters())]
