"""Train a small image model on handwritten digits, save it, and use it: `python examples/digits.py [vit|swin]`.

By the Trainer; any family with an image-classification head would do. The 1,797 digits of 8 x 8 pixels come with
scikit-learn, which only this example needs: pip install scikit-learn
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn import functional as F

from modelry import AutoModelForImageClassification, ImageProcessor, Trainer, TrainingArguments, pipeline
from modelry.configuration import config_class

DIGITS = {number: str(number) for number in range(10)}
SIZES: dict[str, dict[str, Any]] = {
    "vit": {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "patch_size": 2,
    },
    "swin": {
        "embed_dim": 32,
        "depths": [2, 2],
        "num_heads": [2, 4],
        "window_size": 2,
        "patch_size": 2,
        "mlp_ratio": 2.0,
        "drop_path_rate": 0.0,
    },
}
HELD_OUT, BATCH, EPOCHS = 360, 64, {"vit": 60, "swin": 30}


def shifted(image: Tensor) -> Tensor:
    """An image (1, 8, 8), moved by up to a pixel: what a reader of digits must not mind."""
    down, right = torch.randint(0, 3, (2,)).tolist()
    return F.pad(image, (1, 1, 1, 1), value=float(image.min()))[:, down : down + 8, right : right + 8]


def batch(rows: list[tuple[Tensor, int]]) -> dict[str, Tensor]:
    """Images and labels of a step, every other image moved."""
    images = [shifted(image) if number % 2 else image for number, (image, _) in enumerate(rows)]
    return {"pixel_values": torch.stack(images), "labels": torch.tensor([label for _, label in rows])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("family", nargs="?", default="vit", choices=sorted(SIZES))
    parser.add_argument("--epochs", type=float, help="as many as the family needs otherwise")
    parser.add_argument("--folder", type=Path, help="where to save the model; a temporary folder otherwise")
    chosen = parser.parse_args()
    started = time.perf_counter()
    torch.manual_seed(0)

    digits = load_digits()
    pictures = (digits.images * (255 / 16)).astype(np.uint8)  # (1797, 8, 8)
    order = np.random.default_rng(0).permutation(len(pictures))
    held_out, seen = order[:HELD_OUT], order[HELD_OUT:]
    processor = ImageProcessor(do_convert_rgb=False, do_normalize=True, image_mean=[0.3], image_std=[0.38])
    pixels = processor(list(pictures[seen]), return_tensors="pt")["pixel_values"]  # (1437, 1, 8, 8)
    rows = list(zip(pixels, digits.target[seen].tolist(), strict=True))

    config = config_class(chosen.family)(
        image_size=8, num_channels=1, id2label=DIGITS, initializer_range=0.1, **SIZES[chosen.family]
    )
    model = AutoModelForImageClassification.from_config(config)
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary) / "model"
        arguments = TrainingArguments(
            Path(temporary) / "training",
            num_train_epochs=EPOCHS[chosen.family] if chosen.epochs is None else chosen.epochs,
            per_device_train_batch_size=BATCH,
            learning_rate=3e-3,
            weight_decay=0.05,
            lr_scheduler_type="cosine",
            warmup_steps=0.2,
            logging_steps=100,
            save_strategy="no",
            use_cpu=True,
        )
        Trainer(model, arguments, data_collator=batch, train_dataset=rows, processing_class=processor).train()
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
        classify = pipeline("image-classification", model=folder, batch_size=BATCH, device="cpu")
        answers = classify(list(pictures[held_out]), top_k=1)
    right = sum(answer[0]["label"] == DIGITS[one] for answer, one in zip(answers, digits.target[held_out], strict=True))
    first = answers[0][0]
    print(f"the first held-out picture shows a {first['label']} ({first['score']:.0%} sure)")
    print(f"{right} of {HELD_OUT} held-out digits: {right / HELD_OUT:.1%}, {time.perf_counter() - started:.0f} seconds")


if __name__ == "__main__":
    main()
