"""What is special about Depth Anything: a backbone of another family, depth in pixels, two kinds of depth."""

import copy
from typing import Any

import pytest
import torch

from modelry import AutoModelForDepthEstimation
from modelry.errors import ConfigError, MissingPlugin
from modelry_depth_anything import DepthAnythingConfig, DepthAnythingForDepthEstimation
from modelry_registry import get_registry


@pytest.fixture
def values() -> dict[str, Any]:
    """Values of the tiny configuration."""
    return copy.deepcopy(dict(get_registry().get("models", "depth_anything").tiny))


def test_the_backbone_comes_through_the_registry(values: dict[str, Any]) -> None:
    model = AutoModelForDepthEstimation.from_config(DepthAnythingConfig(**values)).eval()
    assert type(model.backbone).__name__ == "Dinov2Backbone"
    out = model(torch.randn(2, 3, 24, 43), output_hidden_states=True)
    assert out.predicted_depth.shape == (2, 24, 40)
    assert len(out.hidden_states) == 5


def test_depth_is_positive_and_metric_depth_has_an_end(values: dict[str, Any]) -> None:
    torch.manual_seed(0)
    model = DepthAnythingForDepthEstimation(DepthAnythingConfig(**values, depth_estimation_type="metric", max_depth=20))
    depth = model.eval()(torch.randn(1, 3, 16, 24)).predicted_depth
    assert 0 < float(depth.detach().min()) <= float(depth.detach().max()) < 20


def test_a_file_without_a_backbone_means_the_oldest() -> None:
    inner = DepthAnythingConfig().backbone_config
    assert (inner.model_type, inner.hidden_size, inner.out_indices) == ("dinov2", 384, [9, 10, 11, 12])


def test_a_backbone_that_nobody_provides_is_named(values: dict[str, Any]) -> None:
    values["backbone_config"] = {"model_type": "no_such_family"}
    with pytest.raises((MissingPlugin, LookupError), match="no_such_family"):
        DepthAnythingConfig(**values)


@pytest.mark.parametrize(
    "changes",
    [
        {"reassemble_hidden_size": 17},
        {"neck_hidden_sizes": [4, 6, 8]},
        {"reassemble_factors": [4, 2, 1]},
        {"head_in_index": 4},
        {"depth_estimation_type": "absolute"},
        {"reassemble_factors": [4, 2, 1, 0]},
        {"backbone": "resnet50"},
    ],
)
def test_what_does_not_fit_is_refused(values: dict[str, Any], changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(changes))):
        DepthAnythingConfig(**{**values, **changes})
