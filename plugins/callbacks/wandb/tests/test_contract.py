"""The callback keeps the contract of all plugins."""

from modelry_testing.contract import PluginContract


class TestWandb(PluginContract):
    kind = "callbacks"
    name = "wandb"
