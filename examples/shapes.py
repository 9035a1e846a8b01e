"""Train a small segmentation model on drawn shapes, save it, and use it: `python examples/shapes.py [--picture FILE]`.

A plain PyTorch loop; the pictures, circles, squares and triangles on noisy grounds, are made here. Any family with a
semantic-segmentation head would do. Mean IoU of 200 held-out pictures: 0.955, after 49 seconds of one CPU core.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from modelry import AutoModelForSemanticSegmentation, ImageProcessor, pipeline
from modelry.configuration import config_class

LABELS = {0: "ground", 1: "circle", 2: "square", 3: "triangle"}
NUMBERS = {label: number for number, label in LABELS.items()}
CORNERS = {2: 4, 3: 3}
SIDE, BATCH = 64, 16
SIZES: dict[str, Any] = {
    "num_encoder_blocks": 3,
    "depths": [1, 1, 1],
    "hidden_sizes": [32, 64, 96],
    "num_attention_heads": [1, 2, 3],
    "patch_sizes": [7, 3, 3],
    "strides": [4, 2, 2],
    "sr_ratios": [4, 2, 1],
    "mlp_ratios": [2, 2, 2],
    "decoder_hidden_size": 48,
    "drop_path_rate": 0.0,
    "classifier_dropout_prob": 0.0,
    "initializer_range": 0.1,
}


def drawn(random: np.random.Generator) -> tuple[Image.Image, np.ndarray]:
    """A picture with a shape in each half, or in one of them, and its map of labels (SIDE, SIDE)."""
    labels = Image.new("L", (SIDE, SIDE))
    colours = Image.new("RGB", (SIDE, SIDE), tuple(random.integers(0, 100, 3).tolist()))
    for half in ((0, 1), (0,), (1,))[random.integers(0, 3)]:
        label, radius, turned = (int(random.integers(*ends)) for ends in ((1, 4), (11, 16), (-15, 16)))
        x = half * SIDE // 2 + int(random.integers(radius, SIDE // 2 - radius + 1))
        y = int(random.integers(radius, SIDE - radius))
        for image, fill in ((labels, label), (colours, tuple(random.integers(130, 256, 3).tolist()))):
            draw = ImageDraw.Draw(image)
            if label == 1:
                draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)
            else:
                draw.regular_polygon((x, y, radius), CORNERS[label], turned, fill=fill)
    noisy = np.asarray(colours) + random.normal(0, 20, (SIDE, SIDE, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8)), np.asarray(labels)


def map_of(answer: list[dict[str, Any]]) -> np.ndarray:
    """The labels (SIDE, SIDE) that the masks of an answer say."""
    labels = np.zeros((SIDE, SIDE), dtype=np.uint8)
    for segment in answer:
        labels[np.asarray(segment["mask"]) > 0] = NUMBERS[segment["label"]]
    return labels


def overlaps(found: np.ndarray, expected: np.ndarray) -> dict[str, float]:
    """Of each label the intersection over the union of what was found and what is there, over all pictures."""
    shares = {}
    for number, label in LABELS.items():
        mine, there = found == number, expected == number
        shares[label] = float((mine & there).sum() / max((mine | there).sum(), 1))
    return shares


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=500, help=f"of {BATCH} pictures each; %(default)s otherwise")
    parser.add_argument("--held-out", type=int, default=200, help="pictures to measure by")
    parser.add_argument("--folder", type=Path, help="where to save the model; a temporary folder otherwise")
    parser.add_argument("--picture", type=Path, help="where to draw what was found on the first held-out picture")
    chosen = parser.parse_args()
    started = time.perf_counter()
    torch.manual_seed(0)
    random = np.random.default_rng(0)

    processor = ImageProcessor(do_resize=False, do_normalize=True, image_mean=[0.5] * 3, image_std=[0.25] * 3)
    config = config_class("segformer")(id2label=LABELS, **SIZES)
    model = AutoModelForSemanticSegmentation.from_config(config).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=chosen.steps)
    for step in range(1, chosen.steps + 1):
        pictures, maps = zip(*(drawn(random) for _ in range(BATCH)), strict=True)
        batch = processor(list(pictures), segmentation_maps=list(maps), return_tensors="pt")
        loss = model(**batch).loss  # pixel_values (16, 3, 64, 64), labels (16, 64, 64)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            print(f"step {step:4}  loss {loss.item():.4f}  {time.perf_counter() - started:.0f} s")

    held_out, truth = zip(*(drawn(random) for _ in range(chosen.held_out)), strict=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
        segment = pipeline("image-segmentation", model=folder, batch_size=BATCH, device="cpu")
        answers = segment(list(held_out))
    if chosen.picture is not None:
        segment.draw(held_out[0], answers[0]).save(chosen.picture)
        print(f"the first held-out picture, with what was found on it: {chosen.picture}")
    found = overlaps(np.stack([map_of(answer) for answer in answers]), np.stack(truth))
    print("  ".join(f"{label} {value:.3f}" for label, value in found.items()))
    mean, seconds = sum(found.values()) / len(found), time.perf_counter() - started
    print(f"mean IoU of {chosen.held_out} held-out pictures: {mean:.3f}, {seconds:.0f} seconds")


if __name__ == "__main__":
    main()
