"""What a scheme keeps: names of layers, the bits of what it does not pack, and its own bits through a file."""

import json

import torch
from torch import Tensor, nn

from modelry_testing.errors import ContractBroken
from modelry_testing.quantizing.subject import Subject, held
from modelry_testing.scratch import new_folder


def names(subject: Subject) -> None:
    """Every module of the float model has one at its name; a replaced linear layer tells its sizes."""
    after = dict(subject.packed_model.named_modules())
    lost = [name for name, _ in subject.float_model.named_modules() if name not in after]
    if lost:
        raise ContractBroken(f"{subject.spec.name} leaves no module called {', '.join(lost[:5])}")
    for name, (old, new) in subject.replaced().items():
        if isinstance(old, nn.Linear):
            sizes = (getattr(new, "in_features", None), getattr(new, "out_features", None))
            if sizes != (old.in_features, old.out_features):
                raise ContractBroken(
                    f"{name} has in_features and out_features {sizes}, and had {old.in_features, old.out_features}"
                )


def untouched(subject: Subject) -> None:
    """Modules that were not replaced hold what they held."""
    replaced, after = subject.replaced(), dict(subject.packed_model.named_modules())
    for name, module in subject.float_model.named_modules():
        if name in replaced or name not in after:
            continue
        found = dict(held(after[name]))
        changed = [key for key, one in held(module) if key not in found or not torch.equal(one, found[key])]
        if changed:
            raise ContractBroken(f"{subject.spec.name} changes {', '.join(changed)} of {name}, which it does not pack")


def round_trip(subject: Subject) -> None:
    """The file holds packed tensors and the scheme; loading it takes no `quantization=`."""
    folder = new_folder()
    model = subject.packed_model
    model.save_pretrained(folder)
    written = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("quantization_config") or {}
    if written.get("quant_method") != subject.spec.name:
        raise ContractBroken(f"config.json of a packed model says quantization_config {written!r}")
    file_bytes = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    float_bytes = sum(path.stat().st_size for path in subject.folder.glob("*.safetensors"))
    if file_bytes >= float_bytes:
        raise ContractBroken(f"the packed checkpoint has {file_bytes} bytes, and the float one {float_bytes}")
    again = subject.load(folder)
    same_bits(model, again)
    if not torch.equal(subject.logits(again), subject.logits(model)):
        raise ContractBroken("a packed model that was saved and loaded computes something else")


def same_bits(model: nn.Module, again: nn.Module) -> None:
    """Two models hold the same tensors: names, dtypes, shapes, bits.

    Raises:
        ContractBroken: they do not; with the names.
    """
    before, after = model.state_dict(), again.state_dict()
    if before.keys() != after.keys():
        raise ContractBroken(f"saving and loading packed changes the tensors {sorted(before.keys() ^ after.keys())}")
    changed = [name for name, one in before.items() if _bits(one) != _bits(after[name])]
    if changed:
        raise ContractBroken(f"saving and loading packed changes the bits of {', '.join(changed)}")


def _bits(tensor: Tensor) -> tuple[torch.dtype, torch.Size, bytes]:
    return tensor.dtype, tensor.shape, tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes()
