"""What is special about DETR: backbones by registry and by timm's names, padding, files of several ages."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from modelry import AutoModelForImageSegmentation, AutoModelForObjectDetection
from modelry.errors import ConfigError, MissingPlugin
from modelry_detr import DetrConfig, DetrForObjectDetection, DetrForSegmentation, DetrModel
from modelry_detr.frozen_norm import FrozenBatchNorm2d
from modelry_registry import get_registry


@pytest.fixture
def values() -> dict[str, Any]:
    """Values of the tiny configuration."""
    return copy.deepcopy(dict(get_registry().get("models", "detr").tiny))


@pytest.fixture
def pixels() -> Tensor:
    return torch.randn(2, 3, 48, 70, generator=torch.Generator().manual_seed(0))


def old_timm(values: dict[str, Any]) -> dict[str, Any]:
    """As the first published files say it."""
    rest = {name: value for name, value in values.items() if name != "backbone_config"}
    return {**rest, "use_timm_backbone": True, "backbone": "resnet18"}


@torch.no_grad()
def test_padding_changes_nothing(values: dict[str, Any], pixels: Tensor) -> None:
    """Objects of an image that fills whole places are those of the image alone."""
    torch.manual_seed(0)
    model = DetrForObjectDetection(DetrConfig(**values)).eval()
    small = pixels[:1, :, :32, :64]
    padded, mask = torch.zeros(1, 3, 96, 96), torch.zeros(1, 96, 96, dtype=torch.long)
    padded[:, :, :32, :64], mask[:, :32, :64] = small, 1
    scene, whole = model.model.look(small, None), model.model.look(padded, mask)
    assert whole.real[0].tolist() == [[True, True, False], [False] * 3, [False] * 3]
    assert whole.places.view(3, 3, -1)[0, :2].equal(scene.places.view(1, 2, -1)[0])
    filled = whole._replace(states=whole.states.clone())
    filled.states[:, [0, 1]] = scene.states
    found = model.model.understand(filled).last_hidden_state
    torch.testing.assert_close(found, model.model.understand(scene).last_hidden_state, atol=1e-5, rtol=1e-5)


def test_norms_of_the_backbone_stay_as_they_are(values: dict[str, Any], pixels: Tensor) -> None:
    model = DetrModel(DetrConfig(**values)).train()
    assert not [one for one in model.modules() if isinstance(one, nn.BatchNorm2d)]
    norms = [one for one in model.modules() if isinstance(one, FrozenBatchNorm2d)]
    before = [one.running_mean.clone() for one in norms]
    model(pixels).last_hidden_state.sum().backward()
    assert all(one.running_mean.equal(other) for one, other in zip(norms, before, strict=True))
    assert not any("normalization" in name for name, _ in model.named_parameters())


def test_a_frozen_norm_is_a_batch_norm_that_does_not_learn() -> None:
    torch.manual_seed(0)
    theirs, ours = nn.BatchNorm2d(5).eval(), FrozenBatchNorm2d(5)
    for tensor in theirs.state_dict().values():
        if tensor.is_floating_point():
            nn.init.uniform_(tensor, 0.5, 2)
    ours.load_state_dict({name: one for name, one in theirs.state_dict().items() if name != "num_batches_tracked"})
    x = torch.randn(2, 5, 3, 4)
    torch.testing.assert_close(ours(x), theirs(x), atol=1e-6, rtol=1e-5)


def test_a_file_with_timms_names(values: dict[str, Any], pixels: Tensor, tmp_path: Path) -> None:
    """It is read, it is the same model as one whose ResNet has our names, and it is written with timm's again."""
    model = DetrForObjectDetection(DetrConfig(**old_timm(values), num_labels=3)).eval()
    model.save_pretrained(tmp_path / "timm")
    stored = load_file(tmp_path / "timm" / "model.safetensors")
    inside = {name.removeprefix("model.backbone.conv_encoder.model.") for name in stored}
    assert {"conv1.weight", "bn1.running_var", "layer1.1.conv2.weight", "layer2.0.downsample.1.bias"} <= inside
    stored["model.backbone.conv_encoder.model.layer1.0.bn1.num_batches_tracked"] = torch.tensor(7)
    save_file(stored, tmp_path / "timm" / "model.safetensors", metadata={"format": "pt"})
    again = AutoModelForObjectDetection.from_pretrained(tmp_path / "timm")
    plain = DetrForObjectDetection(
        DetrConfig(**{**values, "backbone_config": again.config.backbone_config.resnet}, num_labels=3)
    )
    plain.load_state_dict(model.state_dict())
    with torch.inference_mode():
        expected = model(pixels).logits
        assert again(pixels).logits.equal(expected)
        assert plain.eval()(pixels).logits.equal(expected)


def test_a_dilated_last_stage_keeps_its_size(values: dict[str, Any], pixels: Tensor) -> None:
    with torch.device("meta"):
        model = DetrModel(DetrConfig(**old_timm(values), dilation=True))
    kernels = {
        name: (one.stride[0], one.dilation[0])
        for name, one in model.backbone.conv_encoder.model.encoder.stages[3].named_modules()
        if isinstance(one, nn.Conv2d)
    }
    assert kernels == {
        "layers.0.shortcut.convolution": (1, 1),
        "layers.0.layer.0.convolution": (1, 1),
        "layers.0.layer.1.convolution": (1, 2),
        "layers.1.layer.0.convolution": (1, 2),
        "layers.1.layer.1.convolution": (1, 2),
    }
    assert [one.shape[2:] for one in model.backbone(pixels.to("meta"))] == [(12, 18), (6, 9), (3, 5), (3, 5)]


def test_names_of_older_files(values: dict[str, Any], pixels: Tensor, tmp_path: Path) -> None:
    """Learned positions stood inside the backbone once."""
    model = DetrModel(DetrConfig(**values, position_embedding_type="learned")).eval()
    model.save_pretrained(tmp_path)
    stored = load_file(tmp_path / "model.safetensors")
    former = {
        name.replace("position_embedding.", "backbone.position_embedding.")
        if name.startswith("position_embedding")
        else name: one
        for name, one in stored.items()
    }
    assert former.keys() != stored.keys()
    save_file(former, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert DetrModel.from_pretrained(tmp_path)(pixels).last_hidden_state.equal(model(pixels).last_hidden_state)


@pytest.mark.filterwarnings("ignore::modelry.errors.ModelryWarning")  # the masks are new, and named
def test_masks_begin_with_a_detector(values: dict[str, Any], pixels: Tensor, tmp_path: Path) -> None:
    """The way they were trained: boxes first, then masks over what finds the boxes."""
    detector = DetrForObjectDetection(DetrConfig(**values)).eval()
    detector.save_pretrained(tmp_path)
    model = AutoModelForImageSegmentation.from_pretrained(tmp_path)
    out = model(pixels)
    assert out.pred_boxes.equal(detector(pixels).pred_boxes)
    assert out.pred_masks.shape == (2, 5, 12, 18)


@torch.no_grad()
def test_a_map_that_is_there_already(values: dict[str, Any], pixels: Tensor) -> None:
    model = DetrModel(DetrConfig(**values)).eval()
    square = pixels[:, :, :, :48]
    scene = model.look(square, None)
    expected = model(square).last_hidden_state
    assert model(inputs_embeds=scene.states).last_hidden_state.equal(expected)
    encoded = (model(square).encoder_last_hidden_state,)
    assert model(square, encoder_outputs=encoded).last_hidden_state.equal(expected)
    with pytest.raises(ValueError, match="has 3 places: a square"):
        model(inputs_embeds=scene.states[:, :3])


def test_what_images_cannot_have_is_refused(values: dict[str, Any], pixels: Tensor) -> None:
    model = DetrModel(DetrConfig(**values, position_embedding_type="learned"))
    with pytest.raises(ValueError, match=r"pixel_mask has shape \(2, 48, 48\): \(2, 48, 70\)"):
        model(pixels, torch.ones(2, 48, 48))
    with pytest.raises(ValueError, match=r"\(images, 3, height, width\)"):
        model(pixels[:, :1])
    with pytest.raises(ValueError, match="give pixel_values"):
        model()
    with pytest.raises(ValueError, match="51 × 1 places"):
        model(torch.randn(1, 3, 32 * 51, 16))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"backbone": "vgg16", "backbone_config": None}, "vgg16"),
        ({"backbone": "resnet50", "backbone_config": None, "use_timm_backbone": False}, "to be fetched"),
        ({"backbone_kwargs": {"drop_path": 1}, "backbone_config": None}, "drop_path"),
        ({"backbone_kwargs": {"out_indices": [4, 2]}, "backbone_config": None}, "out_indices"),
        ({"backbone_config": {"model_type": "detr"}}, "no feature maps"),
        ({"dilation": True}, "dilation"),
    ],
)
def test_backbones_that_cannot_be_are_refused(values: dict[str, Any], changes: dict[str, Any], said: str) -> None:
    timm = {"use_timm_backbone": True} if "backbone_config" in changes else {}
    with pytest.raises(ConfigError, match=said):
        DetrConfig(**{**values, **timm, **changes})


def test_a_backbone_that_nobody_provides_is_named(values: dict[str, Any]) -> None:
    values["backbone_config"] = {"model_type": "no_such_family"}
    with pytest.raises((MissingPlugin, LookupError), match="no_such_family"):
        DetrConfig(**values)


@pytest.mark.parametrize("changes", [{"d_model": 24}, {"out_indices": [3, 4]}])
def test_masks_that_cannot_be_are_refused(values: dict[str, Any], changes: dict[str, Any]) -> None:
    values["backbone_config"] |= {name: one for name, one in changes.items() if name == "out_indices"}
    sizes = {name: one for name, one in changes.items() if name == "d_model"}
    with pytest.raises(ConfigError, match=r"groups of|feature maps"):
        DetrForSegmentation(DetrConfig(**{**values, **sizes, "encoder_attention_heads": 4}))
