"""The weight-normed convolution is torch's, under its older names."""

import torch
from torch import nn

from modelry.nn.weight_norm import WeightNormConv1d


def test_it_is_torchs() -> None:
    torch.manual_seed(0)
    ours = WeightNormConv1d(8, kernel=5, groups=2)
    ours.fill(0.3)
    with torch.no_grad():
        ours.weight_g.mul_(1.5)
        ours.bias.normal_()
    theirs = nn.utils.parametrizations.weight_norm(nn.Conv1d(8, 8, 5, padding=2, groups=2), dim=2)
    theirs.load_state_dict(
        {
            "bias": ours.bias,
            "parametrizations.weight.original0": ours.weight_g,
            "parametrizations.weight.original1": ours.weight_v,
        }
    )
    x = torch.randn(2, 8, 11)
    torch.testing.assert_close(ours(x), theirs(x))
