"""A tiny sentence encoder, as the hub has them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelry_testing.toys.encoder import save_encoder


@pytest.fixture
def checkpoint(tmp_path: Path) -> Callable[..., Path]:
    """A function: values of 1_Pooling/config.json -> a folder; `steps`, `length` and `extras` are other files."""

    def make(
        pooling: dict[str, Any] | None = None,
        *,
        steps: tuple[str, ...] = ("Transformer", "Pooling", "Normalize"),
        length: dict[str, Any] | None = None,
        extras: dict[str, Any] | None = None,
    ) -> Path:
        save_encoder(tmp_path, "base")
        modules = [
            {
                "idx": n,
                "name": str(n),
                "path": f"{n}_{kind}" if n else "",
                "type": f"sentence_transformers.models.{kind}",
            }
            for n, kind in enumerate(steps)
        ]
        (tmp_path / "1_Pooling").mkdir()
        for name, content in (
            ("modules.json", modules),
            ("1_Pooling/config.json", pooling or {"pooling_mode_mean_tokens": True}),
            ("sentence_bert_config.json", length or {}),
            ("config_sentence_transformers.json", extras or {}),
        ):
            (tmp_path / name).write_text(json.dumps(content))
        return tmp_path

    return make
