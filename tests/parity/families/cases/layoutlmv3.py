"""LayoutLMv3: text alone, with its page, pages alone; with and without each bias; many labels, other sizes."""

from typing import Any

import torch

HEADS = {
    "base": "LayoutLMv3Model",
    "sequence-classification": "LayoutLMv3ForSequenceClassification",
    "token-classification": "LayoutLMv3ForTokenClassification",
    "question-answering": "LayoutLMv3ForQuestionAnswering",
}
PLAIN: dict[str, Any] = {
    "model_type": "layoutlmv3",
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 32,
    "coordinate_size": 6,
    "shape_size": 4,
    "rel_pos_bins": 8,
    "max_rel_pos": 12,
    "rel_2d_pos_bins": 8,
    "max_rel_2d_pos": 300,
    "input_size": 24,
    "patch_size": 8,
    "initializer_range": 0.2,
}
ROWS, TOKENS = 3, 11


def texts(config: Any, head: str, *, limit: int = 1000) -> dict[str, Any]:
    """Padded texts whose words stand somewhere on the page; two boxes end before they begin."""
    generator = torch.Generator().manual_seed(3)
    ids = torch.randint(3, config.vocab_size, (ROWS, TOKENS), generator=generator)
    mask = (torch.arange(TOKENS) < torch.tensor([11, 8, 5])[:, None]).long()
    corners = torch.randint(0, limit + 1, (ROWS, TOKENS, 2, 2), generator=generator).sort(dim=2).values
    boxes = corners.flatten(2)
    boxes[0, 1:3] = boxes[0, 1:3].flip(-1)
    return {
        "input_ids": ids.masked_fill(mask == 0, config.pad_token_id),
        "attention_mask": mask,
        "bbox": boxes * mask[..., None],
    }


def page(config: Any, head: str) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(4)
    size = (ROWS, config.num_channels, config.input_size, config.input_size)
    return {"pixel_values": torch.randn(size, generator=generator)}


def both(config: Any, head: str) -> dict[str, Any]:
    return {**texts(config, head), **page(config, head)}


def segments(config: Any, head: str) -> dict[str, Any]:
    """No boxes, segments and positions of one's own, and a page."""
    found = both(config, head)
    del found["bbox"]
    kinds = (torch.arange(TOKENS) > 4).long().expand(ROWS, TOKENS) * (config.type_vocab_size - 1)
    places = torch.arange(TOKENS).flip(0).expand(ROWS, TOKENS) + 2
    return {**found, "token_type_ids": kinds, "position_ids": places}


def small_page(config: Any, head: str) -> dict[str, Any]:
    return {**texts(config, head, limit=config.max_2d_position_embeddings - 1), **page(config, head)}


def labels(config: Any, head: str) -> dict[str, Any]:
    count = config.num_labels
    match head:
        case "sequence-classification":
            if config.problem_type == "multi_label_classification":
                return {"labels": (torch.arange(ROWS * count).reshape(ROWS, count) % 2).float()}
            return {"labels": torch.linspace(-1, 1, ROWS) if count == 1 else torch.arange(ROWS) % count}
        case "token-classification":
            found = torch.arange(ROWS * TOKENS).reshape(ROWS, TOKENS) % count
            found[:, 5:] = -100
            return {"labels": found}
        case "question-answering":
            return {"start_positions": torch.tensor([0, 2, 60]), "end_positions": torch.tensor([3, 4, 1])}
    return {}


def case(name: str, inputs: Any, *heads: str, **changes: Any) -> dict[str, Any]:
    named = {head: HEADS[head] for head in heads or HEADS}
    return {
        "name": name,
        "config": {**PLAIN, **changes},
        "heads": named,
        "inputs": inputs,
        "labels": labels,
        "real": real,
    }


def real(name: str, tensor: torch.Tensor, inputs: dict[str, Any]) -> torch.Tensor:
    """Everything: padded tokens see the real ones as these do, and have positions and boxes of their own."""
    return tensor


CASES = [
    case("page-and-text", both),
    case("text-alone", texts, "question-answering", layer_norm_eps=1e-3, hidden_act="relu"),
    case("no-eyes", texts, "token-classification", visual_embed=False, pad_token_id=3, type_vocab_size=1),
    case("page-alone", page, "sequence-classification", text_embed=False, num_channels=1),
    case(
        "no-bias",
        both,
        "base",
        has_relative_attention_bias=False,
        has_spatial_attention_bias=False,
        hidden_act="gelu_new",
    ),
    case("page-bias-alone", both, "sequence-classification", has_relative_attention_bias=False, num_labels=1),
    case("text-bias-alone", both, "base", has_spatial_attention_bias=False, rel_pos_bins=6, max_rel_pos=5),
    case(
        "many-labels",
        segments,
        "sequence-classification",
        "token-classification",
        num_labels=12,
        problem_type="multi_label_classification",
        type_vocab_size=3,
        classifier_dropout=0.3,
    ),
    case(
        "other-sizes",
        small_page,
        "base",
        max_2d_position_embeddings=64,
        coordinate_size=5,
        shape_size=6,
        num_attention_heads=2,
        input_size=20,
        patch_size=6,
        rel_2d_pos_bins=16,
        max_rel_2d_pos=40,
        num_hidden_layers=1,
    ),
]
