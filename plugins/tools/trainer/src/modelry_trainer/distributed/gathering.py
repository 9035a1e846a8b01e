"""A divided model put together again in the first process, tensor after tensor, for a folder that anyone reads."""

from typing import Any

from torch import Tensor, nn

from modelry import PreTrainedModel
from modelry.checkpoint.skeleton import without_values
from modelry_trainer.distributed.pieces import is_piece
from modelry_trainer.distributed.world import Processes


def is_divided(model: nn.Module) -> bool:
    """Whether any parameter of a model is in pieces."""
    return any(is_piece(parameter) for parameter in model.parameters())


def whole_state(model: nn.Module, world: Processes, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The whole of each tensor, on the CPU of the first process; nothing in the others, which never have more than one
    whole tensor.

    Args:
        state: of the model, in the same order everywhere.
    """
    found: dict[str, Tensor] = {}
    for name, value in state.items():
        whole: Any = world.collected(value) if is_piece(value) else value.detach().cpu()
        if world.is_first:
            found[name] = whole
    return found


def whole_model(model: PreTrainedModel, state: dict[str, Tensor]) -> PreTrainedModel:
    """An ordinary model with these tensors: of the class that the divided one had."""
    made_of: Any = plain_class(model)
    with without_values():
        whole: PreTrainedModel = made_of(model.config.model_copy(deep=True))
    whole.load_state_dict(state, strict=False, assign=True)
    whole.tie_weights()
    for name in ("_generation_config", "_generation_config_is_given", "name_or_path"):
        setattr(whole, name, getattr(model, name))
    left = sorted(name for name, value in whole.named_parameters() if value.is_meta)
    if left:
        raise AssertionError(f"{', '.join(left[:3])} was not gathered")
    buffers = dict(model.named_buffers())
    for name, value in list(whole.named_buffers()):
        if value.is_meta and name in buffers:
            path, _, last = name.rpartition(".")
            whole.get_submodule(path)._buffers[last] = buffers[name].detach().to("cpu")
    return whole


def plain_class(model: nn.Module) -> type[nn.Module]:
    """The class of a model before FSDP gave it another that descends from it."""
    from torch.distributed.fsdp import FSDPModule

    found: Any = next(one for one in type(model).__mro__ if not issubclass(one, FSDPModule))
    made_of: type[nn.Module] = found
    return made_of
