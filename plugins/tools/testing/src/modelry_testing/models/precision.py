"""Other ways to run the same numbers: bfloat16, and torch.compile."""

import inspect

import torch

from modelry_testing.errors import ContractBroken
from modelry_testing.models.subject import Subject, distance, main_output, same
from modelry_testing.models.training import loss_of

BFLOAT16_TOLERANCE = 0.1


def bfloat16(subject: Subject) -> None:
    """Loaded as bfloat16 the model runs forward and backward and stays near float32."""
    inputs = subject.inputs()
    model = subject.head_class(subject.head).from_pretrained(subject.saved(), dtype="bfloat16")
    wide = [name for name, one in model.named_parameters() if one.dtype is torch.float32]
    if len(wide) == len(list(model.named_parameters())):
        raise ContractBroken('from_pretrained(dtype="bfloat16") returns a model in float32')
    with torch.inference_mode():
        found = main_output(model(**inputs)).float()
        expected = main_output(subject.model()(**inputs))
    apart = distance(found, expected)
    if not apart <= BFLOAT16_TOLERANCE:
        raise ContractBroken(f"bfloat16 is {apart:.2g} away from float32, and {BFLOAT16_TOLERANCE} is allowed")
    loss_of(model.train(), inputs, subject.labels(subject.head, inputs)).backward()
    broken = [
        name for name, one in model.named_parameters() if one.grad is not None and not torch.isfinite(one.grad).all()
    ]
    if broken:
        raise ContractBroken(f"gradients in bfloat16 are not finite: {', '.join(broken)}")


@torch.no_grad()
def compiled(subject: Subject) -> None:
    """torch.compile traces the whole forward pass as one graph and gives the same result.

    The graph is run by PyTorch itself: what is checked is the model's part, not a compiler's. No cache takes part.
    """
    model, inputs = subject.model(), subject.inputs()
    options = {"use_cache": False} if "use_cache" in inspect.signature(model.forward).parameters else {}
    expected = main_output(model(**inputs, **options))
    torch.compiler.reset()
    try:
        found = main_output(torch.compile(model, backend="eager", fullgraph=True)(**inputs, **options))
    finally:
        torch.compiler.reset()
    same(found, expected, tolerance=subject.tolerance, what="compiled")
