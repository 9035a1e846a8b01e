"""The names under which trackers show a training, as the ecosystem writes them."""

from types import SimpleNamespace

from transformers.integrations.integration_utils import rewrite_logs

from modelry.reporting import curves, settings


def test_curves_are_named_as_published() -> None:
    logs = {"loss": 0.5, "eval_loss": 1, "test_runtime": 2.5, "learning_rate": 1e-3, "grad_norm": 3.0, "eval": 1.0}
    assert curves(logs) == rewrite_logs(logs)


def test_what_is_no_number_is_left_out() -> None:
    assert curves({"loss": 1, "note": "x", "nothing": None}) == {"train/loss": 1.0}


def test_settings_are_flat() -> None:
    config = SimpleNamespace(to_dict=lambda: {"rope": {"theta": 10.0}, "sizes": [1, 2], "nothing": None})
    found = settings({"lr": 1e-3, "more": {"a": True}}, SimpleNamespace(config=config))
    assert found == {"lr": 1e-3, "more/a": True, "model/rope/theta": 10.0, "model/sizes": "[1, 2]"}
    assert settings({"lr": 1.0}, object()) == {"lr": 1.0}
