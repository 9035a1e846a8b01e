"""One family's model, whole and divided, and what shows that the two are one."""

import copy
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor

from modelry_testing import ModelContract
from modelry_testing.models.subject import Subject
from modelry_testing.models.training import loss_of

WAYS: dict[str, dict[str, Any]] = {
    "greedy": {"do_sample": False},
    "sampled": {"do_sample": True},
    "beams": {"do_sample": False, "num_beams": 3},
}
CLOSE = 1e-5


class FamilyOfPictures(ModelContract):
    """Qwen2-VL: a text with a picture of one patch in each row."""

    def inputs(self, config: Any, rows: int, length: int) -> dict[str, Tensor]:
        ids = torch.randint(3, 80, (rows, length))
        ids[:, 1] = config.image_token_id
        grid = torch.ones(rows, 3, dtype=torch.long)
        return {"input_ids": ids, "pixel_values": torch.randn(rows, 3 * 2 * 4 * 4), "image_grid_thw": grid}


def subject_of(model_type: str) -> Subject:
    """A family at its tiny size, with numbers of heads that divide."""
    kind = FamilyOfPictures if model_type == "qwen2_vl" else ModelContract
    contract: Any = type("Contract", (kind,), {"model_type": model_type})
    subject: Subject = contract().subject()
    values = copy.deepcopy(dict(subject.values))
    for part in (values, *(one for one in values.values() if isinstance(one, dict))):
        for key in ("num_heads", "num_attention_heads"):
            if part.get(key) == 3:
                part[key] = 4 if part is values else 2
    if model_type == "qwen2_vl":
        values["vision_config"]["spatial_merge_size"] = 1
    subject.values = values
    return subject


class Trial:
    """One family's model, whole and divided.

    Args:
        mesh: of all processes.
        folder: that all of them see.
    """

    def __init__(self, model_type: str, head: str, mesh: DeviceMesh, folder: Path) -> None:
        self.subject, self.head, self.mesh = subject_of(model_type), head, mesh
        self.whole = self.subject.model(head)
        torch.manual_seed(2)
        self.inputs = self.subject.inputs_of(head)
        self.saved, self.again = folder / model_type / "saved", folder / model_type / "again"
        if dist.get_rank() == 0:
            self.whole.save_pretrained(self.saved)
        dist.barrier()
        self.divided = type(self.whole).from_pretrained(self.saved, tp_plan="auto", device_mesh=mesh)

    def results(self) -> None:
        """Outputs and gradients are those of the whole model."""
        labels = self.subject.labels(self.head, self.inputs)
        both = [model(**self.inputs, **labels) for model in (self.whole, self.divided)]
        for name, wanted in both[0].items():
            if isinstance(wanted, Tensor) and wanted.is_floating_point():
                near(both[1][name], wanted, name)
        for model in (self.whole, self.divided):
            loss_of(model, self.inputs, labels).backward()
        for (name, one), (_, other) in zip(self.whole.named_parameters(), self.divided.named_parameters(), strict=True):
            assert isinstance(other, DTensor), f"{name} is not spread"
            if one.grad is not None:
                assert isinstance(other.grad, DTensor), f"{name} has no gradient"
                near(other.grad.to_local(), own_part(one.grad, other), f"the gradient of {name}")

    def parts(self) -> None:
        """Of every matrix that the plan divides a process has its part, and half the model's numbers or less."""
        held = sum(one.to_local().numel() for one in self.divided.parameters())
        share = held / sum(one.numel() for one in self.whole.parameters())
        assert share < 0.8, f"a process holds {share:.2f} of the model"
        assert type(self.divided).__name__ == type(self.whole).__name__

    def generation(self) -> None:
        """The same tokens however they are chosen, with the first process's seed; the cache holds own heads."""
        given = {key: one for key, one in self.inputs.items() if not key.startswith("decoder_")}
        for name, way in WAYS.items():
            answers = []
            for model in (self.whole, self.divided):
                torch.manual_seed(4 if model is self.whole else 4 + dist.get_rank())
                answers.append(model.generate(**given, max_new_tokens=6, **way))
            assert torch.equal(*answers), f"{name}: {answers}"

    def saving(self) -> None:
        """What is saved is what was loaded, byte by byte."""
        self.divided.save_pretrained(self.again)
        for name in ("model.safetensors", "config.json"):
            assert (self.saved / name).read_bytes() == (self.again / name).read_bytes(), f"{name} is another"


def near(found: Tensor, wanted: Tensor, what: str) -> None:
    """Raise where two tensors differ."""
    found, wanted = found.detach().float(), wanted.detach().float()
    far = float((found - wanted).abs().max()) if wanted.numel() else 0.0
    assert far <= CLOSE * max(1.0, float(wanted.abs().max())), f"{what} differs by {far}"


def own_part(whole: Tensor, like: DTensor) -> Tensor:
    """This process's part of a whole tensor, as torch divides it."""
    (placement,) = like.placements
    if not placement.is_shard():
        return whole
    return whole.chunk(dist.get_world_size(), placement.dim)[dist.get_rank()]
