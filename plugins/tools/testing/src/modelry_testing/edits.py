"""Checkpoints changed after they were written, as a lying or damaged one would be."""

import json
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor


def edit_config(folder: Path, **values: object) -> None:
    """Change keys of config.json."""
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **values}), encoding="utf-8")


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """All tensors of model.safetensors, which may then be written over."""
    return {name: one.clone() for name, one in load_file(folder / "model.safetensors").items()}


def edit_tensors(folder: Path, **changes: Tensor | None) -> None:
    """Replace tensors of model.safetensors; None removes one."""
    tensors: dict[str, Tensor | None] = {**read_tensors(folder), **changes}
    kept = {name: one for name, one in tensors.items() if one is not None}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
