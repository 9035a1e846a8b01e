"""debug="underflow_overflow": the first module whose output is no number ends the training, and says what ran before.

Every output is looked at, which costs time: for finding out, not for training.
"""

from collections import deque
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from modelry_trainer.callbacks.events import TrainerCallback
from modelry_trainer.errors import LossIsNaN

if TYPE_CHECKING:
    from modelry_trainer.arguments import TrainingArguments
    from modelry_trainer.state import TrainerControl, TrainerState

REMEMBERED = 20
"""Modules before the one that failed, in the order in which they ran."""


class NumbersCallback(TrainerCallback):
    """Watches all modules of a model while it is trained."""

    def __init__(self) -> None:
        self._hooks: list[Any] = []
        self._frames: deque[str] = deque(maxlen=REMEMBERED)

    def on_train_begin(
        self, args: "TrainingArguments", state: "TrainerState", control: "TrainerControl", **more: Any
    ) -> None:
        """Begin to watch."""
        self.on_train_end(args, state, control)
        model: nn.Module = more["model"]
        self._hooks = [module.register_forward_hook(self._watch(name, state)) for name, module in model.named_modules()]

    def on_train_end(
        self, args: "TrainingArguments", state: "TrainerState", control: "TrainerControl", **more: Any
    ) -> None:
        """Watch no longer."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
        self._frames.clear()

    def _watch(self, name: str, state: "TrainerState") -> Any:
        def look(module: nn.Module, given: Any, found: Any) -> None:
            told = ", ".join(_range(value) for value in _tensors(found))
            frame = f"{name or 'the model'} ({type(module).__name__}): {told}"
            if all(bool(torch.isfinite(value).all()) for value in _tensors(found)):
                self._frames.append(frame)
                return
            weights = ", ".join(f"{key} {_range(value)}" for key, value in module.named_parameters(recurse=False))
            before = "\n  ".join([f"given {', '.join(_range(value) for value in _tensors(given))}", *self._frames])
            raise LossIsNaN(
                f"in step {state.global_step + 1} the output of {frame}{'; its ' + weights if weights else ''}. What "
                f"ran before it (smallest and largest size of the values):\n  {before}"
            )

        return look


def _tensors(value: Any) -> list[Tensor]:
    """Of a nested value, those of fractions."""
    if isinstance(value, Tensor):
        return [value.detach()] if value.is_floating_point() and value.numel() else []
    if isinstance(value, list | tuple):
        return [one for part in value for one in _tensors(part)]
    if hasattr(value, "keys"):
        return [one for key in value.keys() for one in _tensors(value[key])]  # noqa: SIM118  our outputs are no mappings
    return []


def _range(value: Tensor) -> str:
    value = value.detach()
    wrong = int((~torch.isfinite(value)).sum())
    sizes = value[torch.isfinite(value)].abs()
    told = f"{float(sizes.min()):.2e} to {float(sizes.max()):.2e}" if sizes.numel() else "no number"
    return f"{told}, {wrong} of {value.numel()} no number" if wrong else told
