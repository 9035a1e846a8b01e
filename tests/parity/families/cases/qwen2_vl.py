"""Qwen2-VL: images and films among texts, other squares, spans and channels, axes cut otherwise, windows, ties."""

from typing import Any

import torch

TEXT: dict[str, Any] = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]},
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "initializer_range": 0.2,
}
VISION: dict[str, Any] = {
    "depth": 2,
    "embed_dim": 24,
    "hidden_size": 32,
    "num_heads": 3,
    "mlp_ratio": 2,
    "patch_size": 4,
    "initializer_range": 0.2,
}
IMAGE, VIDEO, START, END = 90, 91, 92, 93


def pictures(config: Any, head: str) -> dict[str, Any]:
    """Two rows, the second padded on the left: two images and a film, and one image; none of them square."""
    generator = torch.Generator().manual_seed(1)
    tower = config.vision_config
    merge = tower.spatial_merge_size
    images = torch.tensor([[1, merge, 2 * merge], [1, 2 * merge, merge], [1, 3 * merge, 2 * merge]])
    films = torch.tensor([[3, merge, 2 * merge]])

    def tokens(count: int) -> list[int]:
        return torch.randint(4, 80, (count,), generator=generator).tolist()

    def picture(token: int, grid: torch.Tensor) -> list[int]:
        return [START, *[token] * (int(grid.prod()) // merge**2), END]

    first = [*tokens(2), *picture(IMAGE, images[0]), *tokens(1), *picture(VIDEO, films[0]), *tokens(2)]
    first += [*picture(IMAGE, images[1]), *tokens(5)]
    second = [*tokens(1), *picture(IMAGE, images[2]), *tokens(6)]
    width = len(first)
    ids = torch.zeros(2, width, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, text in enumerate((first, second)):
        ids[row, width - len(text) :] = torch.tensor(text)
        mask[row, width - len(text) :] = 1
    values = tower.in_channels * tower.temporal_patch_size * tower.patch_size**2
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "pixel_values": torch.randn(int(images.prod(-1).sum()), values, generator=generator),
        "image_grid_thw": images,
        "pixel_values_videos": torch.randn(int(films.prod(-1).sum()), values, generator=generator),
        "video_grid_thw": films,
        "mm_token_type_ids": (ids == IMAGE).long() + 2 * (ids == VIDEO).long(),
    }


def labels(config: Any, head: str) -> dict[str, Any]:
    if head == "base":
        return {}
    inputs = pictures(config, head)
    known = (inputs["attention_mask"].cumsum(-1) > 1) & (inputs["mm_token_type_ids"] == 0)
    return {"labels": inputs["input_ids"].masked_fill(~known, -100)}


def case(name: str, text: dict[str, Any], vision: dict[str, Any], **changes: Any) -> dict[str, Any]:
    config = {
        "model_type": "qwen2_vl",
        "image_token_id": IMAGE,
        "video_token_id": VIDEO,
        "vision_start_token_id": START,
        "vision_end_token_id": END,
        **changes,
    }
    return {
        "name": name,
        "config": {**config, "text_config": {**TEXT, **text}, "vision_config": {**VISION, **vision}},
        "heads": {"base": "Qwen2VLModel", "image-text-to-text": "Qwen2VLForConditionalGeneration"},
        "inputs": pictures,
        "labels": labels,
        "generate": True,
    }


def rope(**values: Any) -> dict[str, Any]:
    return {"rope_parameters": {"rope_theta": 1000.0, **values}}


CASES = [
    case("plain", {}, {}),
    case("tied-large-squares", {"num_key_value_heads": 4}, {"spatial_merge_size": 3}, tie_word_embeddings=True),
    case(
        "axes-and-theta",
        {"num_attention_heads": 2, "rms_norm_eps": 1e-3, **rope(rope_type="mrope", mrope_section=[1, 4, 3])},
        {"hidden_act": "gelu", "num_heads": 2, "rope_parameters": {"rope_type": "axial", "rope_theta": 100.0}},
    ),
    case(
        "linear-grey-single-frames",
        rope(rope_type="linear", factor=2.0, mrope_section=[1, 1, 1, 1]),
        {"in_channels": 1, "temporal_patch_size": 1, "patch_size": 6, "mlp_ratio": 3, "depth": 1},
    ),
    case(
        "windows", {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1}, {"spatial_merge_size": 1}
    ),
    {
        "name": "text-model",
        "config": {"model_type": "qwen2_vl_text", **TEXT},
        "heads": {"base": "Qwen2VLTextModel"},
        "inputs": "text",
    },
]
