"""What is special about LayoutLMv3: boxes, pages, models with one side, and what each refuses."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from modelry_layoutlmv3 import LayoutLMv3Config, LayoutLMv3ForTokenClassification, LayoutLMv3Model
from modelry_layoutlmv3.layout import patch_boxes

Make = Callable[..., LayoutLMv3Config]
IDS = torch.tensor([[5, 6, 7]])
BOXES = torch.tensor([[[0, 0, 10, 10], [500, 500, 600, 700], [990, 0, 1000, 1000]]])
PAGE = torch.ones(1, 3, 32, 32)


@torch.inference_mode()
def test_a_box_changes_what_is_seen(config: Make) -> None:
    model = LayoutLMv3Model.from_config(config()).eval()
    assert not torch.allclose(model(IDS, bbox=BOXES).last_hidden_state, model(IDS).last_hidden_state)
    assert model(IDS, bbox=BOXES, pixel_values=PAGE).last_hidden_state.shape == (1, 3 + 5, 32)


@torch.inference_mode()
def test_packed_layers_leave_the_tables_of_distances(config: Make, tmp_path: Path) -> None:
    pytest.importorskip("modelry_int8")
    model = LayoutLMv3Model.from_config(config(initializer_range=0.2)).eval()
    model.save_pretrained(tmp_path)
    packed = LayoutLMv3Model.from_pretrained(tmp_path, quantization="int8")
    expected = model(IDS, bbox=BOXES).last_hidden_state
    torch.testing.assert_close(packed(IDS, bbox=BOXES).last_hidden_state, expected, atol=0.1, rtol=0)


def test_boxes_of_patches() -> None:
    expected = [[1, 1, 999, 999], [0, 0, 500, 500], [500, 0, 1000, 500], [0, 500, 500, 1000], [500, 500, 1000, 1000]]
    assert patch_boxes(2, device=torch.device("cpu")).tolist() == expected


@pytest.mark.parametrize(
    ("changes", "inputs", "message"),
    [
        ({}, {}, "give input_ids or inputs_embeds, pixel_values, or text and page together"),
        ({}, {"input_ids": IDS, "bbox": BOXES[:, :2]}, r"bbox has shape \(1, 2, 4\).*must be \(1, 3, 4\)"),
        (
            {},
            {"input_ids": IDS, "bbox": BOXES + 25},
            r"the box of token 2 of row 0 is \[1015, 25, 1025, 1025\].*0 to 1000",
        ),
        ({}, {"input_ids": IDS, "bbox": BOXES - 1}, "the box of token 0 of row 0"),
        (
            {},
            {"input_ids": IDS, "pixel_values": PAGE[..., :16]},
            "pages of 32 x 16 pixels, and the model looks at 32 x 32",
        ),
        ({}, {"input_ids": IDS, "pixel_values": PAGE[:, :1]}, r"\(images, 3, height, width\) is needed"),
        ({}, {"input_ids": IDS, "inputs_embeds": torch.zeros(1, 3, 32)}, "either input_ids or inputs_embeds"),
        ({"max_position_embeddings": 4}, {"input_ids": IDS}, "3 positions and the model 2"),
        ({"visual_embed": False}, {"input_ids": IDS, "pixel_values": PAGE}, "looks at no page"),
        ({"text_embed": False}, {"input_ids": IDS}, "reads no text"),
    ],
)
def test_refusals(config: Make, changes: dict[str, Any], inputs: dict[str, Any], message: str) -> None:
    model = LayoutLMv3Model.from_config(config(**changes))
    with pytest.raises(ValueError, match=message):
        model(**inputs)


def test_tokens_are_labelled_and_patches_not(config: Make) -> None:
    model = LayoutLMv3ForTokenClassification.from_config(config(num_labels=12))
    assert model(IDS, pixel_values=PAGE).logits.shape == (1, 3, 12)
    with pytest.raises(ValueError, match="there is no text"):
        model(pixel_values=PAGE)
    with pytest.raises(ValueError, match="a label is 12: with 12 classes"):
        model(IDS, labels=IDS + 7)


def test_old_files_carry_computed_tensors(config: Make, tmp_path: Path) -> None:
    model = LayoutLMv3ForTokenClassification.from_config(config()).eval()
    model.save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    more = {"layoutlmv3.embeddings.position_ids": torch.arange(64)[None], "layoutlmv3.visual_bbox": torch.zeros(5, 4)}
    save_file({**load_file(path), **more}, path)
    again = LayoutLMv3ForTokenClassification.from_pretrained(tmp_path)
    assert torch.equal(again(IDS, bbox=BOXES).logits, model(IDS, bbox=BOXES).logits)
