"""torch.compile for functions that serve every model of a process, in training and without gradients."""

import inspect
from collections.abc import Callable
from typing import Any

import torch

LIMIT = 128
"""Programs that one function may have.

torch's own limit is 8, and behind it the function runs uncompiled. A model that is trained, and asked in batches and
alone, needs 5; another one beside it, with a window, as many more.
"""


def compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """The function, compiled when it is first called.

    Args:
        options: for `torch.compile`.
    """
    if "recompile_limit" in inspect.signature(torch.compile).parameters:
        options["recompile_limit"] = LIMIT
    else:  # torch before 2.13 has one limit for all functions of the process
        torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, LIMIT)
    made: Callable[..., Any] = torch.compile(function, **options)
    return made
