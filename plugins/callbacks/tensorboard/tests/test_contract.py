"""The callback keeps the contract of all plugins."""

from modelry_testing.contract import PluginContract


class TestTensorBoard(PluginContract):
    kind = "callbacks"
    name = "tensorboard"
