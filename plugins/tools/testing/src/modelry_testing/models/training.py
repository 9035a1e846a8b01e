"""Training: gradients reach every trainable parameter, every head has its loss, checkpointing changes nothing."""

from collections.abc import Iterable
from fnmatch import fnmatch
from functools import partial

import pytest
import torch
from torch import Tensor

from modelry import PreTrainedModel
from modelry.checkpoint.naming import unread_names
from modelry_testing.errors import ContractBroken
from modelry_testing.models.subject import SEED, Inputs, Subject, distance, floating, quietly, same


def loss_of(model: PreTrainedModel, inputs: Inputs, labels: Inputs) -> Tensor:
    """The model's own loss where it has labels, else a sum that depends on every floating tensor it returns."""
    output = model(**inputs, **labels)
    if labels:
        loss: Tensor | None = output.loss
        if loss is None or loss.ndim != 0 or not torch.isfinite(loss):
            raise ContractBroken(f"{type(model).__name__} with {', '.join(labels)} returns the loss {loss!r}")
        return loss
    return torch.stack([one.float().square().mean() for one in floating(output)]).sum()


def gradients(subject: Subject, without: Iterable[str], *, by_name: bool) -> None:
    """After backward every trainable parameter has a finite gradient that is not all zeros.

    Args:
        without: patterns of names that are passed over.
        by_name: nobody says which: parameters that are frozen, or that nothing depends on, are told in a skip.
    """
    model, inputs = subject.model().train(), subject.inputs_of(subject.head)
    labels = subject.labels(subject.head, inputs)
    loss_of(model, inputs, labels).backward()
    asked = {name: one for name, one in model.named_parameters() if not _listed(name, without)}
    frozen = [name for name, one in asked.items() if not one.requires_grad]
    if frozen and not by_name:
        raise ContractBroken(f"{', '.join(frozen)} cannot be trained: a model has no frozen parameters of its own")
    broken = [name for name, one in asked.items() if one.grad is not None and not torch.isfinite(one.grad).all()]
    if broken:
        raise ContractBroken(f"the gradient of {', '.join(broken)} is not finite")
    lost = [name for name, one in asked.items() if one.requires_grad and (one.grad is None or not one.grad.any())]
    idle = [name for name in lost if by_name and not _matters(subject, name, {**inputs, **labels})]
    if len(idle) < len(lost):
        raise ContractBroken(f"no gradient reaches {', '.join(name for name in lost if name not in idle)}")
    if frozen or idle:
        pytest.skip(
            f"{', '.join([*frozen, *idle])} cannot be trained, or nothing depends on it with these inputs: where that "
            "is as published, name it in `without_gradient` of the family's test class"
        )


@torch.no_grad()
def _matters(subject: Subject, name: str, inputs: Inputs) -> bool:
    """Whether other values of a parameter give other results."""
    model = subject.model()
    before = list(floating(model(**inputs)))
    parameter = model.get_parameter(name)
    parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(SEED)))
    after = floating(model(**inputs))
    return any(distance(*pair) > subject.tolerance for pair in zip(after, before, strict=True))


def _listed(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(name, one) for one in patterns)


def gradient_checkpointing(subject: Subject) -> None:
    """Gradients with checkpointing are those without."""
    inputs = subject.inputs_of(subject.head)
    labels = subject.labels(subject.head, inputs)
    plain, saving = subject.model().train(), subject.model().train()
    if not saving.supports_gradient_checkpointing:
        pytest.skip(f"{type(saving).__name__} declares that it cannot recompute its layers")
    saving.gradient_checkpointing_enable()
    for model in (plain, saving):
        torch.manual_seed(5)
        loss_of(model, inputs, labels).backward()
    expected = dict(plain.named_parameters())
    for name, one in saving.named_parameters():
        other = expected[name].grad
        if (one.grad is None) != (other is None):
            raise ContractBroken(
                f"gradient checkpointing {'loses' if one.grad is None else 'adds'} the gradient of {name}"
            )
        if one.grad is not None and other is not None:
            same(one.grad, other, tolerance=subject.tolerance, what=f"the gradient of {name} with checkpointing")


def heads(subject: Subject) -> None:
    """Every head runs, has a finite loss on its labels, and trains the base model through it."""
    for head in subject.family.heads:
        model, inputs = subject.model(head).train(), subject.inputs_of(head)
        labels = subject.labels(head, inputs)
        loss_of(model, inputs, labels).backward()
        untouched = [name for name, one in model.named_parameters() if one.requires_grad and one.grad is None]
        if len(untouched) == len(list(model.parameters())):
            raise ContractBroken(f"the loss of {type(model).__name__} reaches no parameter")


def heads_from_base(subject: Subject) -> None:
    """A base checkpoint loads into every other head, which keeps its weights and only makes the new ones."""
    if "base" not in subject.family.heads:
        pytest.skip("the family has no base head")
    base_model = subject.model("base")
    some_heads_only = base_model.optional_parts or ("\0",)
    base = {name: one for name, one in base_model.state_dict().items() if not name.startswith(some_heads_only)}
    others = [head for head, named in subject.family.heads.items() if named != subject.family.heads["base"]]
    if not others:
        pytest.skip("the family has no head but the base")
    for head in others:
        head_class = subject.head_class(head)
        model = quietly(partial(head_class.from_pretrained, subject.saved("base")))
        beside = head in ("backbone", "text-encoding") or model.base_model_prefix == "" or head_class.optional_parts
        inner = getattr(model, model.base_model_prefix, model if beside else None)
        if inner is None:
            raise ContractBroken(
                f"{head_class.__name__} has no attribute {model.base_model_prefix!r} with the base model"
            )
        while getattr(inner, "base_model", inner) is not inner:  # a head over a head
            inner = inner.base_model
        held = inner.state_dict()
        side = f"{model.base_model_prefix}."  # a head may stand on one side of a base model that has two
        own_side = {name.removeprefix(side): one for name, one in base.items() if name.startswith(side)}
        prefix = "" if inner is model else f"{model.base_model_prefix}."
        left_out = (head_class.optional_parts if inner is model else ()) or ("\0",)
        left_out += tuple(name.removeprefix(prefix) for name in unread_names(model))
        kept = {name: one for name, one in (own_side or base).items() if not name.startswith(left_out)}
        changed = [name for name, one in kept.items() if name not in held or not torch.equal(held[name], one)]
        if changed:
            raise ContractBroken(f"{head_class.__name__} loaded from a base checkpoint lost {', '.join(changed)}")
