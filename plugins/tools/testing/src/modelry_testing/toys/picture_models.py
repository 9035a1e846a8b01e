"""A tiny model of pictures with its image processor, for tasks that read them: an installed family by name."""

import json
from pathlib import Path
from typing import Any

import torch

from modelry import PreTrainedModel
from modelry_registry import get_registry, resolve

PROCESSOR: dict[str, Any] = {
    "image_processor_type": "ViTImageProcessor",
    "do_resize": True,
    "size": {"height": 16, "width": 24},
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}
"""What preprocessor_config.json says, unless told otherwise."""


def save_picture_model(
    folder: Path,
    head: str,
    *,
    family: str = "vit",
    processor: dict[str, Any] | None = None,
    seed: int = 0,
    **values: Any,
) -> Path:
    """Write a random model with a head, and its image processor, into `folder`.

    Args:
        family: model_type of an installed family.
        processor: values of preprocessor_config.json in place of PROCESSOR's.
        values: of the configuration, in place of the family's tiny ones.

    Raises:
        RegistryError: the family is not installed.
    """
    from modelry_testing.models.subject import told_apart

    found = get_registry().get("models", family)
    config_class: Any = resolve(found.config)
    head_class: Any = resolve(found.heads[head])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: PreTrainedModel = told_apart(head_class.from_config(config_class(**{**found.tiny, **values})), seed=seed)
    model.save_pretrained(folder)
    text = json.dumps({**PROCESSOR, **(processor or {})})
    (folder / "preprocessor_config.json").write_text(text, encoding="utf-8")
    return folder
