"""The callback keeps the contract of all plugins."""

import pytest

from modelry_testing.contract import PluginContract

pytest.importorskip("mlflow")


class TestMLflow(PluginContract):
    kind = "callbacks"
    name = "mlflow"
