"""How many parameters a model has, and how many bytes it takes."""

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from modelry.model import PreTrainedModel


def num_parameters(self: "PreTrainedModel", *, only_trainable: bool = False, exclude_embeddings: bool = False) -> int:
    """Count parameters; tied ones once."""
    embedded = {id(module.weight) for module in self.modules() if isinstance(module, nn.Embedding)}
    return sum(
        parameter.numel()
        for parameter in self.parameters()
        if (parameter.requires_grad or not only_trainable) and not (exclude_embeddings and id(parameter) in embedded)
    )


def get_memory_footprint(self: "PreTrainedModel", return_buffers: bool = True) -> int:
    """Bytes of its parameters, tied ones once, and buffers; those that stay on disk too. Packed layers count as packed.

    Args:
        return_buffers: whether buffers count.
    """
    sizes = [parameter.nbytes for parameter in self.parameters()]
    return sum(sizes) + (sum(buffer.nbytes for buffer in self.buffers()) if return_buffers else 0)
