"""Zero-shot image classification keeps the contract of tasks."""

from pathlib import Path
from typing import ClassVar

import numpy as np

from modelry_testing import TaskContract
from modelry_testing.toys.picture_models import save_picture_model
from modelry_testing.toys.word_pieces import pieces, write_word_pieces

RANDOM = np.random.default_rng(0)


class TestZeroShotImageClassification(TaskContract):
    name = "zero-shot-image-classification"
    items: ClassVar = [RANDOM.integers(0, 256, (side, 20, 3), dtype=np.uint8) for side in (16, 33, 8)]
    parameters: ClassVar = {"candidate_labels": ["rain", "the sea", "a tin roof"]}
    bad_item = "no-such-file.png"
    impossible: ClassVar = (
        {"candidate_labels": []},
        {"candidate_labels": ["rain", ""]},
        {"candidate_labels": 7},
        {"hypothesis_template": "a photo"},
    )

    def model_folder(self, folder: Path) -> Path:
        """A tiny CLIP with a tokenizer of word pieces."""
        text = {"vocab_size": len(pieces()), "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
        sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 4}
        write_word_pieces(folder, longest=77)
        return save_picture_model(
            folder,
            "zero-shot-image-classification",
            family="clip",
            text_config={**sizes, **text},
            vision_config={**sizes, "image_size": [16, 24], "patch_size": 8},
        )
