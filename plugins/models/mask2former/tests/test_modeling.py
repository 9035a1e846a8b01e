"""What is special about Mask2Former: a backbone of any family, queries that look inside their masks, earlier
predictions."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from modelry import AutoModelForUniversalSegmentation
from modelry.errors import ModelryWarning
from modelry.preprocessing import ImageProcessor
from modelry_mask2former import Mask2FormerConfig, Mask2FormerForUniversalSegmentation, Mask2FormerModel
from modelry_mask2former.masked_decoder import inside_of

RESNET = {
    "model_type": "resnet",
    "embedding_size": 8,
    "hidden_sizes": [8, 12, 16, 24],
    "depths": [1, 1, 1, 1],
    "out_features": ["stage1", "stage2", "stage3", "stage4"],
}


def test_the_backbone_comes_through_the_registry(values: dict[str, Any], images: Tensor) -> None:
    for inside, name in ((values["backbone_config"], "SwinBackbone"), (RESNET, "ResNetBackbone")):
        model = AutoModelForUniversalSegmentation.from_config(
            Mask2FormerConfig(**{**values, "backbone_config": inside})
        ).eval()
        assert type(model.model.pixel_level_module.encoder).__name__ == name
        assert model.get_input_embeddings() is model.model.pixel_level_module.encoder.get_input_embeddings()
        out = model(images, output_hidden_states=True)
        assert out.class_queries_logits.shape == (2, 5, 3)
        assert [len(one) for one in (out.encoder_hidden_states, out.pixel_decoder_hidden_states)] == [4, 3]
        assert out.transformer_decoder_hidden_states[0].shape == (5, 2, 16)


def test_it_can_be_pickled(values: dict[str, Any]) -> None:
    model = Mask2FormerModel(Mask2FormerConfig(**values))
    again = pickle.loads(pickle.dumps(model))
    assert all(torch.equal(one, model.state_dict()[name]) for name, one in again.state_dict().items())


def test_a_query_looks_inside_its_mask_and_everywhere_when_that_is_empty() -> None:
    masks = torch.full((1, 2, 4, 6), -3.0)
    masks[0, 0, :2, :3] = 3
    allowed = inside_of(masks, (2, 3))
    assert allowed.shape == (1, 1, 2, 6)
    assert allowed[0, 0, 0].tolist() == [True, True, False, False, False, False]
    assert allowed[0, 0, 1].all()


def test_earlier_predictions(values: dict[str, Any], images: Tensor) -> None:
    model = Mask2FormerForUniversalSegmentation(Mask2FormerConfig(**values)).eval()
    assert model(images).auxiliary_logits is None
    earlier = model(images, output_auxiliary_logits=True).auxiliary_logits
    assert len(earlier) == values["decoder_layers"] - 1
    assert {name: tuple(one.shape) for name, one in earlier[0].items()} == {
        "masks_queries_logits": (2, 5, 20, 26),
        "class_queries_logits": (2, 5, 3),
    }


def test_whole_layers_are_left_out_in_training(values: dict[str, Any], images: Tensor) -> None:
    torch.manual_seed(0)
    model = Mask2FormerModel(Mask2FormerConfig(**values, dropout=0.5)).train()
    found = {len(model(images).masks_queries_logits) for _ in range(8)}
    assert min(found) < values["decoder_layers"]
    assert len(model.eval()(images).masks_queries_logits) == values["decoder_layers"]


def test_images_in_a_batch_are_alone(values: dict[str, Any], images: Tensor) -> None:
    model = Mask2FormerForUniversalSegmentation(Mask2FormerConfig(**values)).eval()
    with torch.inference_mode():
        together, alone = (model(one).masks_queries_logits for one in (images, images[1:]))
    torch.testing.assert_close(together[1:], alone, atol=1e-5, rtol=1e-5)


def test_files_without_the_backbones_last_norm_are_read(values: dict[str, Any], images: Tensor, tmp_path: Path) -> None:
    model = Mask2FormerForUniversalSegmentation(Mask2FormerConfig(**values)).eval()
    model.save_pretrained(tmp_path)
    held = load_file(tmp_path / "model.safetensors")
    assert "model.transformer_module.decoder.layers.0.cross_attn.in_proj_weight" in held
    older = {name: one for name, one in held.items() if ".encoder.swin.layernorm." not in name}
    assert len(older) < len(held)
    save_file(older, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.warns(ModelryWarning, match="layernorm"):
        again = Mask2FormerForUniversalSegmentation.from_pretrained(tmp_path)
    with torch.inference_mode():
        assert again(images).masks_queries_logits.equal(model(images).masks_queries_logits)


def test_a_mask_of_another_size_is_refused(values: dict[str, Any], images: Tensor) -> None:
    model = Mask2FormerModel(Mask2FormerConfig(**values))
    with pytest.raises(ValueError, match=r"pixel_mask has shape \(2, 40, 40\)"):
        model(images, pixel_mask=torch.ones(2, 40, 40))
    with pytest.raises(ValueError, match="pixel_values"):
        model(None)
    with pytest.raises(ValueError, match=r"\(images, 3, height, width\)"):
        model(images[:, :2])


def test_from_a_photograph_to_segments(values: dict[str, Any]) -> None:
    torch.manual_seed(0)
    model = Mask2FormerForUniversalSegmentation(Mask2FormerConfig(**values)).eval()
    processor = ImageProcessor(image_processor_type="Mask2FormerImageProcessor", size={"height": 30, "width": 40})
    photographs = [torch.randint(256, (3, *size), dtype=torch.uint8) for size in ((50, 70), (33, 20))]
    maps = [torch.arange(one.shape[1])[:, None].expand(one.shape[1:]) // 20 % 2 for one in photographs]
    inputs = processor(photographs, segmentation_maps=maps, return_tensors="pt")
    assert inputs["pixel_values"].shape == (2, 3, 32, 64)
    outputs = model(**inputs)
    assert torch.isfinite(outputs.loss)
    sizes = [(50, 70), (33, 20)]
    with torch.inference_mode():
        for found in (
            processor.post_process_semantic_segmentation(outputs, target_sizes=sizes),
            [
                one["segmentation"]
                for one in processor.post_process_instance_segmentation(outputs, threshold=0.0, target_sizes=sizes)
            ],
            [
                one["segmentation"]
                for one in processor.post_process_panoptic_segmentation(outputs, threshold=0.0, target_sizes=sizes)
            ],
        ):
            assert [tuple(one.shape) for one in found] == sizes
