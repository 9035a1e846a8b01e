"""What training steps written for the ecosystem call on `self.accelerator`: the trainer's own means under its names."""

from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from modelry_trainer.trainer import Trainer


@final
class Acceleration:
    """Of one trainer. What it has not, accelerate's Accelerator has: a training step needs no more than this."""

    def __init__(self, trainer: "Trainer") -> None:
        self._trainer = trainer

    @property
    def device(self) -> torch.device:
        """Where this process computes."""
        return self._trainer.device

    @property
    def num_processes(self) -> int:
        """Processes that train together."""
        return self._trainer.world.size

    @property
    def process_index(self) -> int:
        """Which of them this is."""
        return self._trainer.world.rank

    @property
    def is_main_process(self) -> bool:
        """Whether it is the first."""
        return self._trainer.world.is_first

    @property
    def is_local_main_process(self) -> bool:
        """Whether it is the first of its machine."""
        return self._trainer.world.is_first_here

    @property
    def sync_gradients(self) -> bool:
        """Whether gradients are those of all processes: they are when an optimizer steps."""
        return True

    def backward(self, loss: Tensor, **options: Any) -> None:
        """Gradients of a loss, scaled where float16 needs it."""
        scaler = self._trainer.scaler
        scaled: Any = loss if scaler is None else scaler.scale(loss)
        scaled.backward(**options)

    def prepare(self, *things: Any) -> Any:
        """The same: what a trainer is given, and what its loaders give, is placed and dealt out when it is used."""
        return things[0] if len(things) == 1 else things

    def gather(self, tensor: Tensor) -> Tensor:
        """The rows that all processes have, in the order in which they are dealt out."""
        found = [one.to(tensor.device) for one in self._trainer.world.gathered(tensor.detach().cpu())]
        return found[0] if len(found) == 1 else torch.cat([one.reshape(-1, *tensor.shape[1:]) for one in found])

    gather_for_metrics = gather

    def unwrap_model(self, model: nn.Module, keep_fp32_wrapper: bool = True) -> nn.Module:
        """The model without what several processes put around it."""
        return self._trainer.model if model is self._trainer.model_wrapped else model

    def autocast(self) -> Any:
        """The precision in which a loss is computed."""
        return self._trainer.compute_loss_context_manager()

    def print(self, *values: Any, **options: Any) -> None:
        """In the first process of a machine."""
        if self.is_local_main_process:
            print(*values, **options)

    def wait_for_everyone(self) -> None:
        """Until all processes are here."""
        self._trainer.world.everywhere(lambda: None)
