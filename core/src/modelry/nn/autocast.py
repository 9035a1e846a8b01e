"""Which dtype products have where torch.autocast is on. For what autocast itself does not see."""

import torch


def autocast_dtype(kind: str) -> torch.dtype | None:
    """The dtype, or None where autocast is off or the kind of device has none (the meta device).

    Args:
        kind: "cpu", "cuda", ...: `tensor.device.type`.
    """
    if kind == "meta" or not torch.is_autocast_enabled(kind):
        return None
    return torch.get_autocast_dtype(kind)
