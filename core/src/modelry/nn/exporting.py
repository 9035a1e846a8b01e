"""Whether a program is being exported, and not only compiled."""

import torch


def is_exporting() -> bool:
    """`torch.compiler.is_exporting()`, which inside `torch.compile` PyTorch 2.11 answers with True: the mark behind it,
    which export alone sets, is right there too. A PyTorch without the mark is taken at its word."""
    return torch.compiler.is_exporting() and bool(getattr(torch.compiler, "_is_exporting_flag", True))
